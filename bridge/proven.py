"""A token's state by proof: every word that is read is shown to follow from the block's hash.

The node answers `eth_getProof` (EIP-1186); what it says is believed only as far as its Merkle
proofs lead from the state root in the block's header to what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.account_proofs import check_account
from bridge.artifacts import token_creation
from bridge.chain import SLOTS_A_PROOF
from bridge.errors import ContradictionError, ForeignContractError
from bridge.headers import parse_header
from bridge.jsonrpc import to_hex
from bridge.token_layout import balance_slot, state_slots, token_code
from bridge.tokens import Token, no_contract, on_chain
from ledger.hashing import keccak
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.account_proofs import ProvenAccount
    from bridge.chain import Block, Chain
    from bridge.headers import Header
    from ledger.results import Asset, Identity

_COUNT: Final = 2**64


def read_header(chain: Chain, at: Block) -> Header:
    """Return the header of block `at`, which makes the block's hash: so all of it is true.

    Raises:
        ContradictionError: it makes another hash, or the node said something else of the block.
    """
    header = read_header_of(chain, at.hash, at.number)
    if header.timestamp != at.timestamp:
        raise ContradictionError(
            f"{chain.name} said that block {at.number} is of second {at.timestamp}, and its header "
            f"has {header.timestamp}"
        )
    return header


def read_header_of(chain: Chain, block: Hash32, number: int) -> Header:
    """Return the header of the block with that hash, which must have that number.

    Raises:
        ContradictionError: it makes another hash, or has another number.
    """
    found = chain.request("eth_getBlockByHash", to_hex(block), False)  # noqa: FBT003 (JSON-RPC is positional)
    header = chain.parsed("a block", lambda: parse_header(found))
    if header.hash != block:
        raise ContradictionError(
            f"the header that {chain.name} returned for block {number} hashes to {header.hash}, "
            f"not to the block's {block}: the node lies, or this chain hashes its headers in "
            "another way and nothing can be proven on it"
        )
    if header.number != number:
        raise ContradictionError(
            f"{chain.name} called block {header.number} ({block}) number {number}"
        )
    return header


class ProvenState:
    """The state of one block, which a node has to prove."""

    def __init__(self, chain: Chain, at: Block) -> None:
        """Ask for the header of block `at`, which must make the block's hash.

        Raises:
            ContradictionError: it makes another.
        """
        self._chain = chain
        self._at = at
        self._root = read_header(chain, at).state_root

    def token(self, identity: Identity, asset: Asset) -> Token:
        """Return the token of `asset`, its code and state proven.

        Raises:
            NoContractError: the asset has no operator, or it is proven that nothing is deployed.
            ForeignContractError: it is proven that there is other code.
            ContradictionError: the node's answer does not prove what it says.
        """
        asset = on_chain(self._chain, asset)
        address = token_creation(identity.ledger_id, asset).address
        slots = state_slots(asset.token_version)
        names = [slots.history, slots.head, slots.counts, slots.operator, slots.total_supply]
        names += [] if slots.final_seq is None else [slots.final_seq]
        found = self._prove(address, names)
        if not found.has_code:
            raise no_contract(self._chain, identity, asset, self._at)
        code_hash = Hash32(keccak(token_code(identity.ledger_id, asset)))
        if found.code_hash != code_hash:
            raise ForeignContractError(
                f"{asset.symbol}: the code at {address} hashes to {found.code_hash}, must be "
                f"{code_hash} ({asset.token_version}): is this the right chain?"
            )
        history, head, counts, operator, total_supply, *final_seq = found.slots
        deferring = any(word % _COUNT for word in final_seq)
        return Token(
            asset=asset,
            address=address,
            history=_hash(history),
            head=_hash(head),
            last_seq=counts // _COUNT % _COUNT,
            batches=counts % _COUNT,
            total_supply=0 if deferring else total_supply,
            operator=Address(_hash(operator)[-Address.size :]),
            live=bool(counts // _COUNT**2 % 2**8),
            deferring=deferring,
        )

    def balances(self, token: Address, addresses: Sequence[Address]) -> Iterator[int]:
        """Yield the token balance of each address; raises as `token`."""
        for start in range(0, len(addresses), SLOTS_A_PROOF):
            chunk = addresses[start : start + SLOTS_A_PROOF]
            yield from self._prove(token, [balance_slot(address) for address in chunk]).slots

    def _prove(self, address: Address, slots: Sequence[Hash32]) -> ProvenAccount:
        """Return an account and its slots; ContradictionError unless all of it is proven."""
        chain, at = self._chain, self._at
        answer = chain.proof(address, slots, at)
        try:
            return check_account(self._root, address, slots, answer)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = str(error) if isinstance(error, ValueError) else f"malformed ({error!r})"
            raise ContradictionError(
                f"the proof that {chain.name} returned of {address} in block {at.number} is none: "
                f"{reason}"
            ) from None


def _hash(word: int) -> Hash32:
    """Return a slot's value as the 32 bytes that it is."""
    return Hash32(word.to_bytes(Hash32.size, "big"))
