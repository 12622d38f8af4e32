"""What a chain lacks of a ledger, as the calls of `replay` that are due, each checked before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.batches import Limits, Position, Run, cut, make_run
from bridge.errors import OperatorError
from bridge.keys import TEST_ADDRESS
from ledger.checks import recomputed
from ledger.errors import CorruptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.keys import TransactionSigner
    from bridge.tokens import Token
    from ledger import Ledger
    from ledger.model import Hash32
    from ledger.results import Asset, Entry, SealedBatch


def sealed_batches(ledger: Ledger) -> dict[str, list[SealedBatch]]:
    """Return the batches of each asset that has any, by symbol, in order."""
    found: dict[str, list[SealedBatch]] = {}
    for sealed in ledger.seals():
        for batch in sealed.batches:
            found.setdefault(batch.symbol, []).append(batch)
    return found


def due_runs(
    ledger: Ledger, asset: Asset, batches: Sequence[SealedBatch], at: Position, limits: Limits
) -> Iterator[tuple[Run, Sequence[Entry]]]:
    """Yield each run, with its entries, that a contract lacks which stands at `at`, in order.

    Raises:
        CorruptError: stored entries do not recompute; no run of their batch was yielded.
    """
    domain = ledger.identity.domain
    for sealed in batches:
        last = sealed.batch.last_seq
        if last <= at.last_seq:
            continue
        entries = list(ledger.entries(asset.symbol, at.last_seq + 1, last))
        _check_entries(domain, asset, at, sealed, entries)
        taken = 0
        for count in cut(entries, limits):
            chosen = entries[taken : taken + count]
            run = make_run(domain, asset.id, chosen, at)
            yield run, chosen
            taken, at = taken + count, run.after


def check_operator(token: Token, signer: TransactionSigner) -> None:
    """Raise OperatorError unless `signer` may replay."""
    symbol = token.asset.symbol
    if token.live:
        raise OperatorError(f"{symbol}: the token is live, nothing can be replayed any more")
    if token.operator == TEST_ADDRESS != signer.address:
        raise OperatorError(
            f"{symbol}: the operator on this chain is the public test key: replay without "
            "--keystore, or run `evm-ledger chain deploy` with yours first"
        )
    if token.operator != signer.address:
        raise OperatorError(
            f"{symbol}: the token's operator is {token.operator}, the key given is that of "
            f"{signer.address}: give the operator's keystore file"
        )


def _check_entries(
    domain: Hash32, asset: Asset, at: Position, sealed: SealedBatch, entries: Sequence[Entry]
) -> None:
    """Raise CorruptError unless `entries` recompute, from `at` to the head that was sealed.

    What is on a chain stays there, so nothing is sent that an audit would refuse.
    """
    head: bytes = at.head
    for seq, entry in enumerate(entries, start=at.last_seq + 1):
        expected = recomputed(domain, asset.id, head, entry)
        if entry.seq != seq or (entry.id, entry.head) != expected:
            raise CorruptError(
                f"{asset.symbol} entry {entry.seq} does not recompute, so nothing of its batch is "
                "sent: run `evm-ledger audit`"
            )
        head = entry.head
    if head != sealed.batch.new_head:
        raise CorruptError(
            f"{asset.symbol}: entries up to {sealed.batch.last_seq} are not those that seal "
            f"{sealed.seal} sealed: run `evm-ledger audit`"
        )
