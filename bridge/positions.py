"""Where a token contract stands in its asset's journal, recomputed from the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.batches import Position, advanced, make_run, start
from bridge.errors import ChainError, ForeignHistoryError
from bridge.tokens import Token, read_batches
from ledger.ids import first_head
from ledger.merkle import Frontier
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.chain import Chain
    from bridge.codec import BatchReplayed
    from ledger import Ledger
    from ledger.results import Asset, SealedBatch


def locate(ledger: Ledger, chain: Chain, token: Token, sealed: Sequence[SealedBatch]) -> Position:
    """Return where `token` stands in its asset's journal, recomputed from the ledger.

    Raises:
        ForeignHistoryError: its history is not one of this ledger's; names the first batch.
    """
    identity = ledger.identity
    at = start(first_head(identity.domain, token.asset.id))
    for stored in sealed[: token.batches]:
        frontier = Frontier.from_bytes(stored.frontier)
        at = advanced(identity.domain, stored.batch, at.history, frontier)
    if (at.number, at.history) == (token.batches, token.history):
        return at
    return _locate_by_events(ledger, chain, token, sealed)


def _locate_by_events(
    ledger: Ledger, chain: Chain, token: Token, sealed: Sequence[SealedBatch]
) -> Position:
    """Return where `token` stands, by the cuts that its events name."""
    domain, asset = ledger.identity.domain, token.asset
    last_sealed = sealed[-1].batch.last_seq
    whole = {(s.batch.first_seq, s.batch.last_seq): s for s in sealed}
    at = start(first_head(domain, asset.id))
    for event in read_batches(chain, token, chain.block()):
        stored = whole.get((event.first_seq, event.last_seq))
        if event.first_seq != at.last_seq + 1 or event.last_seq > last_sealed:
            raise _foreign(asset, event)
        if stored:
            batch = replace(stored.batch, number=event.number)
            at = advanced(domain, batch, at.history, Frontier.from_bytes(stored.frontier))
        else:
            entries = list(ledger.entries(asset.symbol, event.first_seq, event.last_seq))
            at = make_run(domain, asset.id, entries, at).after
        if at.history != event.history:
            raise _foreign(asset, event)
    if at.history != token.history:
        raise ChainError(f"{asset.symbol}: the contract moved while it was read: run again")
    return at


def _foreign(asset: Asset, event: BatchReplayed) -> ForeignHistoryError:
    """Return the error that names the first batch that is not ours."""
    return ForeignHistoryError(
        f"{asset.symbol}: batch {event.number} on the chain "
        f"({spanned(event.first_seq, event.last_seq)}) is not this ledger's: `evm-ledger chain "
        "verify` names each difference"
    )
