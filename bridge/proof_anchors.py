"""A proof beside the chain: is what it hangs from what a token's operator stated there?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.codec import decode_result, encode_call, quantity
from bridge.errors import BridgeError, ChainError, ProofError
from bridge.proofs import BalanceProof
from bridge.tokens import read_batches, read_token_at
from ledger.encoding import ledger_domain
from ledger.formats import TOKEN_VERSION
from ledger.ids import batch_id, first_head, next_history
from ledger.model import Batch, Hash32
from ledger.results import Asset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.chain import Chain
    from bridge.codec import BatchReplayed
    from bridge.proof_checks import Proved
    from bridge.proofs import Proof
    from bridge.tokens import Token
    from ledger.model import Address


@dataclass(frozen=True, slots=True)
class OnChain:
    """Where a chain has what a proof hangs from."""

    chain_id: int
    token: Address
    block_number: int
    """Of the batch: of the new one, for consistency."""
    transaction: Hash32
    prev_history: Hash32
    """The token's history before the batch: with it the contract EntryProof proves the entry."""
    later: tuple[Hash32, ...]
    """The ids of the batches that were replayed after it, as the token's history has them."""


def check_on_chain(chain: Chain, proved: Proved, token: Address) -> OnChain:
    """Compare a proof with what `token` replayed; the reader knows the token from elsewhere.

    The token's code is compared with ours, and its history recomputed from its own events. The
    root is then the one that its operator stated with the batch. A balance is also compared with
    the token's own, in the block of the batch.

    Raises:
        ProofError: the chain has another root, or another balance.
        BridgeError: the token has no batch that ends with the same entry.
        ChainError: the node does not tell, or there is no such token.
    """
    proof, at = proved.proof, chain.block()
    found = read_token_at(chain, proof.ledger_id, _asset(proof, proved.asset_id), token, at)
    events = read_batches(chain, found, at)
    ids = _folded(chain, proof, found, events)
    replayed = [_event(found, events, anchor.batch) for anchor in proved.anchors]
    for event, anchor in zip(replayed, proved.anchors, strict=True):
        if event.tree_root != anchor.batch.tree_root:
            what, stated = f"the root after entry {event.last_seq}", anchor.batch.tree_root
            raise ProofError(what, f"{event.tree_root}, as on the chain", str(stated))
    event = replayed[-1]
    if isinstance(proof, BalanceProof):
        _check_balance(chain, proof, found, event, events)
    chain.check_canonical(at)
    before = events[event.number - 2].history if event.number > 1 else None
    return OnChain(
        chain_id=chain.chain_id,
        token=token,
        block_number=event.place.block_number,
        transaction=event.place.transaction_hash,
        prev_history=before or first_head(ledger_domain(proof.ledger_id), proved.asset_id),
        later=tuple(ids[event.number :]),
    )


def _asset(proof: Proof, id_: Hash32) -> Asset:
    """Return the asset of a proof, as the bridge reads tokens."""
    terms = proof.asset
    return Asset(0, id_, terms.symbol, terms.name, terms.decimals, 0, None, TOKEN_VERSION)


def _folded(
    chain: Chain, proof: Proof, token: Token, events: Sequence[BatchReplayed]
) -> list[Hash32]:
    """Return the id of every batch that the token replayed.

    Raises:
        ChainError: they do not make the token's history: the node alters logs, or hides some.
    """
    domain = ledger_domain(proof.ledger_id)
    history = first_head(domain, token.asset.id)
    ids = []
    for event in events:
        names = ("number", "first_seq", "last_seq", "prev_head", "new_head")
        stated = {name: getattr(event, name) for name in names}
        batch = Batch(
            token.asset.id, **stated, tree_root=event.tree_root, payload_hash=event.payload_hash
        )
        ids.append(batch_id(domain, batch))
        history = next_history(history, ids[-1])
        if history != event.history:
            break
    if history != token.history:
        raise ChainError(
            f"{chain.name}: the token's batches do not make its history: use another node"
        )
    return ids


def _event(token: Token, events: Sequence[BatchReplayed], batch: Batch) -> BatchReplayed:
    """Return the event of the batch that ends with the same entry."""
    for event in events:
        if event.last_seq == batch.last_seq:
            return event
    if token.last_seq < batch.last_seq:
        raise BridgeError(
            f"the chain has {token.last_seq} entries, the proof is up to {batch.last_seq}: ask "
            "again when that is replayed, or for a proof up to an earlier seal"
        )
    raise BridgeError(
        f"no batch of the chain ends with entry {batch.last_seq}: ask for a proof up to another "
        "seal"
    )


def _check_balance(
    chain: Chain,
    proof: BalanceProof,
    token: Token,
    event: BatchReplayed,
    events: Sequence[BatchReplayed],
) -> None:
    """Compare a balance with the token's, right after the batch."""
    leaf = proof.leaf
    for what, computed, stated in (
        ("the leaf's chain id", chain.chain_id, leaf.chain_id),
        ("the leaf's token", token.address, leaf.token),
    ):
        if computed != stated:
            raise ProofError(what, str(computed), str(stated))
    number = event.place.block_number
    if any(it.number > event.number and it.place.block_number == number for it in events):
        raise BridgeError(
            f"block {number} has a later batch too, so no block has the balances after this one: "
            "ask for a proof up to another seal"
        )
    call = encode_call("balanceOf(address)", leaf.account)
    found = chain.call(token.address, call, at=chain.block(quantity(number)))
    held = decode_result(["uint256"], found)[0]
    if held != leaf.balance:
        raise ProofError(
            f"the balance in block {number}", f"{held}, as on the chain", str(leaf.balance)
        )
