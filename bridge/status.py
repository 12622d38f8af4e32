"""How far a ledger is on a chain, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.artifacts import token_address
from bridge.errors import ReorganisedError, RpcError
from bridge.outbox import OPEN, Outbox
from bridge.tokens import on_chain, read_token
from bridge.tracking import look_again, track

if TYPE_CHECKING:
    from bridge.chain import Block, Chain
    from bridge.outbox import Attempt
    from bridge.tracking import Heads
    from ledger import Ledger
    from ledger.model import Address
    from ledger.results import Asset


@dataclass(frozen=True, slots=True)
class AssetStatus:
    """How many entries of one asset are where."""

    symbol: str
    token: Address | None
    """None until there is an operator."""
    posted: int
    sealed: int
    mined: int
    """On the chain, as its contract says in the latest block."""
    safe: int | None
    """On the chain, as its contract says in the latest safe block; None where nobody can say."""
    finalized: int | None


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """How far a ledger is on one chain."""

    chain_id: int
    heads: Heads
    assets: tuple[AssetStatus, ...]
    waiting: tuple[Attempt, ...]
    """Signed, and in no block as far as is known: the latest attempt of each nonce."""
    stuck: tuple[Attempt, ...]
    """Those of `waiting` that the node does not know, or whose nonce it has not come to."""


def read_status(ledger: Ledger, chain: Chain) -> ChainStatus:
    """Return how far `ledger` is on `chain`, and bring the outbox up to date.

    What is on the chain is read from the contracts. The outbox only says what is under way.

    Raises:
        NoContractError, ForeignContractError: a token is missing, or is not this ledger's.
        ChainError: the node does not do its part.
    """
    outbox = Outbox(ledger, chain.chain_id)
    look_again(outbox, chain, OPEN)  # who sent them may not have come to that
    heads = track(outbox, chain)
    sealed: dict[str, int] = {}
    for seal in ledger.seals():
        for batch in seal.batches:
            sealed[batch.symbol] = batch.batch.last_seq
    assets = [it for it in ledger.assets() if it.symbol in sealed or ledger.head(it.symbol).seq]
    blocks = (chain.block(), _block(chain, heads.safe), _block(chain, heads.finalized))
    waiting = {(it.sender, it.nonce): it for it in outbox.attempts(statuses=OPEN)}
    return ChainStatus(
        chain.chain_id,
        heads,
        tuple(
            _asset(ledger, chain, asset, sealed[asset.symbol], blocks)
            if asset.symbol in sealed
            else _unsealed(ledger, chain, asset)
            for asset in assets
        ),
        tuple(waiting.values()),
        tuple(it for it in waiting.values() if _is_stuck(chain, it)),
    )


def _unsealed(ledger: Ledger, chain: Chain, asset: Asset) -> AssetStatus:
    """Return the status of an asset of which nothing is sealed: so nothing is on any chain."""
    owned = on_chain(chain, asset)
    token = None if owned.operator is None else token_address(ledger.identity.ledger_id, owned)
    posted = ledger.head(asset.symbol).seq
    return AssetStatus(asset.symbol, token, posted, 0, 0, 0, 0)


def _asset(
    ledger: Ledger,
    chain: Chain,
    asset: Asset,
    sealed: int,
    blocks: tuple[Block, Block | None, Block | None],
) -> AssetStatus:
    """Return how far one asset is; its contract must be there in the latest block."""
    latest, safe, finalized = blocks
    token = read_token(chain, ledger.identity, asset, latest)

    def replayed(at: Block | None) -> int | None:
        if at is None:
            return None
        if at == latest:
            return token.last_seq
        try:
            if not chain.code(token.address, at):
                return 0
            return read_token(chain, ledger.identity, asset, at).last_seq
        except RpcError:
            return None  # the node has forgotten that block's state

    return AssetStatus(
        asset.symbol,
        token.address,
        ledger.head(asset.symbol).seq,
        sealed,
        token.last_seq,
        replayed(safe),
        replayed(finalized),
    )


def _block(chain: Chain, number: int | None) -> Block | None:
    """Return a block by number, or None."""
    try:
        return None if number is None else chain.block_at(number)
    except ReorganisedError:
        return None


def _is_stuck(chain: Chain, attempt: Attempt) -> bool:
    """Tell whether nothing will come of an attempt by itself: run replay again."""
    return not chain.knows(attempt.signed.hash) or attempt.nonce > chain.next_nonce(
        attempt.sender, "latest"
    )
