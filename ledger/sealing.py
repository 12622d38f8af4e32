"""Sealing: the next batch of each asset, cut and stored in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text, update

from ledger import store
from ledger.batches import BatchEnd, cut, make_batch, make_seal, units
from ledger.checks import readable, same
from ledger.dialects import dialect_of
from ledger.ids import first_head
from ledger.merkle import Frontier
from ledger.model import ZERO_HASH, Batch, Hash32, Seal
from ledger.results import Asset, Entry, JournalHead, Sealed, SealedBatch
from ledger.rules import check_clock
from ledger.tables import batches, seals, settings
from ledger.weights import MAX_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection

    from ledger.results import Identity
    from ledger.seal_checks import SealCheck

PAGE = 1_000
"""Entries read at once."""


def seal_next(
    connection: Connection,
    identity: Identity,
    clock: Callable[[], int] | None,
) -> Sealed | None:
    """Cut and store the next seal in this transaction; None if no entry waits."""
    last = _lock_last_seal(connection)
    heads = read_heads(connection)
    assets = store.read_assets(connection)  # after the heads: none of theirs may be missing
    ends = {asset.symbol: batch_end(connection, identity, asset) for asset in assets.values()}
    streams = [
        _waiting(connection, identity, asset, ends[asset.symbol], heads[asset.number])
        for asset in assets.values()
        if asset.number in heads
    ]
    taken = cut(units(streams, {symbol: asset.id for symbol, asset in assets.items()}))
    if not taken:
        return None
    number = last.seal.number + 1 if last else 1
    made = [
        make_batch(identity.domain, assets[symbol], ends[symbol], entries, number)
        for symbol, entries in taken.items()
    ]
    database_now = dialect_of(connection).now(connection)
    now = check_clock(clock(), database_now) if clock else database_now
    latest = max(entries[-1].timestamp for entries in taken.values())
    timestamp = max(now, latest + 1, last.seal.timestamp + 1 if last else 0)
    sealed = make_seal(identity.domain, number, last.id if last else ZERO_HASH, timestamp, made)
    write_seal(connection, sealed, {symbol: asset.number for symbol, asset in assets.items()})
    return sealed


def _lock_last_seal(connection: Connection) -> Sealed | None:
    """Take the seals' own row, so that only one sealer runs; return the last seal."""
    connection.execute(text("UPDATE token_settings SET sealed = sealed"))
    number = connection.execute(select(settings.c.sealed)).scalar_one()
    if number == 0:
        return None
    row = connection.execute(select(seals).where(seals.c.number == number)).one()
    seal = Seal(row.number, Hash32(row.prev_seal), row.timestamp, ())
    return Sealed(seal, Hash32(row.id), ())


def read_heads(connection: Connection) -> dict[int, JournalHead]:
    """Return where every journal stands, in one statement: one moment."""
    rows = connection.execute(text("SELECT asset, seq, head, last_time FROM token_journals"))
    return {row.asset: JournalHead(row.seq, Hash32(row.head), row.last_time) for row in rows}


def batch_end(connection: Connection, identity: Identity, asset: Asset) -> BatchEnd:
    """Return where the last batch of `asset` ended."""
    query = (
        select(batches)
        .where(batches.c.asset == asset.number)
        .order_by(batches.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return BatchEnd(0, 0, first_head(identity.domain, asset.id), Frontier())
    frontier = Frontier.from_bytes(row.frontier)
    return BatchEnd(row.number, row.last_seq, Hash32(row.new_head), frontier)


def _waiting(
    connection: Connection, identity: Identity, asset: Asset, end: BatchEnd, head: JournalHead
) -> Iterator[Entry]:
    """Return the entries after `end`, up to `head` and no more than a batch can take and one."""
    last = min(head.seq, end.last_seq + MAX_ENTRIES + 1)
    for first in range(end.last_seq + 1, last + 1, PAGE):
        yield from store.select_entries(
            connection,
            asset,
            identity.pepper,
            "AND e.seq BETWEEN ? AND ? ORDER BY e.seq",
            first,
            min(first + PAGE - 1, last),
        )


def write_seal(connection: Connection, sealed: Sealed, numbers: Mapping[str, int]) -> None:
    """Store a seal and its batches."""
    seal = sealed.seal
    connection.execute(
        insert(seals).values(
            number=seal.number, id=sealed.id, prev_seal=seal.prev_seal, timestamp=seal.timestamp
        )
    )
    connection.execute(
        insert(batches), [_batch_row(batch, numbers[batch.symbol]) for batch in sealed.batches]
    )
    connection.execute(update(settings).values(sealed=seal.number))


def _batch_row(sealed: SealedBatch, number: int) -> dict[str, object]:
    """Return the row of a batch."""
    batch = sealed.batch
    return {
        "asset": number,
        "number": batch.number,
        "seal": sealed.seal,
        "first_seq": batch.first_seq,
        "last_seq": batch.last_seq,
        "prev_head": batch.prev_head,
        "new_head": batch.new_head,
        "tree_root": batch.tree_root,
        "payload_hash": batch.payload_hash,
        "id": sealed.id,
        "frontier": sealed.frontier,
    }


def read_batches(connection: Connection, asset: Asset, after: int, most: int) -> list[SealedBatch]:
    """Return at most `most` stored batches of `asset` with numbers above `after`, in order."""
    query = (
        select(batches)
        .where(batches.c.asset == asset.number, batches.c.number > after)
        .order_by(batches.c.number)
        .limit(most)
    )
    return [_batch(row, asset) for row in connection.execute(query)]


def read_seals(
    connection: Connection, assets: Mapping[str, Asset], first: int, last: int
) -> list[Sealed]:
    """Return the seals `first` to `last`, as stored."""
    by_number = {asset.number: asset for asset in assets.values()}
    by_seal: dict[int, list[SealedBatch]] = {}
    for row in connection.execute(select(batches).where(batches.c.seal.between(first, last))):
        by_seal.setdefault(row.seal, []).append(_batch(row, by_number[row.asset]))
    rows = connection.execute(
        select(seals).where(seals.c.number.between(first, last)).order_by(seals.c.number)
    )
    return [_sealed(row, by_seal.get(row.number, [])) for row in rows]


def _batch(row: Any, asset: Asset) -> SealedBatch:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the batch that a row is."""
    batch = Batch(
        asset=asset.id,
        number=row.number,
        first_seq=row.first_seq,
        last_seq=row.last_seq,
        prev_head=Hash32(row.prev_head),
        new_head=Hash32(row.new_head),
        tree_root=Hash32(row.tree_root),
        payload_hash=Hash32(row.payload_hash),
    )
    return SealedBatch(batch, Hash32(row.id), asset.symbol, row.seal, bytes(row.frontier))


def _sealed(row: Any, found: list[SealedBatch]) -> Sealed:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the seal that a row and its batches are."""
    ordered = tuple(sorted(found, key=lambda batch: batch.batch.asset))
    batch_ids = tuple(batch.id for batch in ordered)
    seal = Seal(row.number, Hash32(row.prev_seal), row.timestamp, batch_ids)
    return Sealed(seal, Hash32(row.id), ordered)


# --- proving what is sealed ------------------------------------------------------------------


def check_seals(connection: Connection, assets: Mapping[str, Asset], chain: SealCheck) -> None:
    """Recompute the chain of seals up to the last; their batches have been proved before.

    Raises:
        FoundError: naming the seal, or the batch that says it belongs to another.
    """
    following = dict.fromkeys(assets, 1)
    last = connection.execute(select(func.coalesce(func.max(seals.c.number), 0))).scalar_one()
    while chain.number < last:
        with readable("token_seals", str(chain.number + 1)):
            page = read_seals(connection, assets, chain.number + 1, chain.number + 100)
        if not page:
            same("token_seals", str(chain.number + 1), "row", "there", "missing")
        for sealed in page:
            with readable("token_seals", str(chain.number + 1)):
                if chain.seal_of(sealed, sealed.batches) != sealed.id:
                    _check_labels(connection, assets, chain, sealed, following)
                chain.check(sealed)
            following.update({b.symbol: b.batch.number + 1 for b in sealed.batches})
    _check_last(connection, last)


def _check_labels(
    connection: Connection,
    assets: Mapping[str, Asset],
    chain: SealCheck,
    sealed: Sealed,
    following: Mapping[str, int],
) -> None:
    """Find the batch whose `seal` is wrong: the seal would be right without it, or with it."""
    number, row = sealed.seal.number, "{0.symbol}/{0.batch.number}"
    for batch in sealed.batches:
        rest = [other for other in sealed.batches if other is not batch]
        if chain.seal_of(sealed, rest) == sealed.id:
            same("token_batches", row.format(batch), "seal", "another", batch.seal)
    for symbol, asset in assets.items():
        for batch in read_batches(connection, asset, following[symbol] - 1, 1):
            if chain.seal_of(sealed, [*sealed.batches, batch]) == sealed.id:
                same("token_batches", row.format(batch), "seal", number, batch.seal)


def _check_last(connection: Connection, last: int) -> None:
    """Check that the settings name the last seal, and that no batch is of a later one."""
    later = connection.execute(
        select(batches.c.seal).where((batches.c.seal > last) | (batches.c.seal < 1)).limit(1)
    ).scalar_one_or_none()
    if later is not None:
        same("token_seals", str(later), "row", "there", "missing")
    sealed = connection.execute(select(settings.c.sealed)).scalar_one()
    same("token_settings", "1", "sealed", last, sealed)
