"""What lists and the search box need besides the ledger's own functions: one query each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import or_, select, tuple_

from ledger.tables import accounts, batches, holds, seals
from ledger.tables import ledger as entries
from ledger.texts import after_prefix, check_text

if TYPE_CHECKING:
    from sqlalchemy import Column

    from ledger import Asset, Hash32, Ledger

MOST: Final = 2**62
"""Above every number."""

_EXAMINED: Final = 2_000

_HASHES: Final = {
    "batch": batches.c.id,
    "head of batch": batches.c.new_head,
    "tree root of batch": batches.c.tree_root,
    "payload of batch": batches.c.payload_hash,
}


class BatchHash(NamedTuple):
    """A batch, and what of it a hash is."""

    what: str
    asset: int
    number: int


def accounts_until(ledger: Ledger, prefix: str, last: str | None, count: int) -> list[str]:
    """Return the last `count` ids that begin with `prefix`, up to `last`, in falling order."""
    own = accounts.c.account_id
    end = after_prefix(prefix)
    bounds = [own >= prefix]
    bounds += [] if end is None else [own < end]
    bounds += [] if last is None else [own <= last]
    query = select(own).where(*bounds).order_by(own.desc()).limit(count)
    with ledger.reading() as connection:
        return list(connection.execute(query).scalars())


def holds_until(
    ledger: Ledger, asset: Asset, account_id: str | None, last: int, count: int
) -> list[int]:
    """Return the numbers of `count` holds up to `last`: an account's or all, in falling order."""
    return _holds(ledger, asset, account_id, (1, last), count, falls=True)


def holds_from(
    ledger: Ledger, asset: Asset, account_id: str | None, first: int, count: int
) -> list[int]:
    """Return the numbers of `count` holds from `first` on: an account's or all, in order."""
    return _holds(ledger, asset, account_id, (first, MOST), count, falls=False)


def _holds(
    ledger: Ledger,
    asset: Asset,
    account_id: str | None,
    bounds: tuple[int, int],
    count: int,
    *,
    falls: bool,
) -> list[int]:
    """Return numbers of holds. With an account, an order that only the account's index has."""
    number, (first, last) = holds.c.number, bounds
    of: list[Column[Any]] = [number]
    within = number.between(first, last)
    if account_id is not None:
        of = [holds.c.account_id, number]
        within = tuple_(*of).between(tuple_(account_id, first), tuple_(account_id, last))
    query = (
        select(number)
        .where(holds.c.asset == asset.number, within)
        .order_by(*(column.desc() if falls else column for column in of))
        .limit(count)
    )
    with ledger.reading() as connection:
        return list(connection.execute(query).scalars())


class Reference(NamedTuple):
    """An entry that refers to something."""

    asset: int
    seq: int
    id: bytes


def referring(ledger: Ledger, type_: str, id_: str, most: int) -> list[Reference]:
    """Return `most` entries that refer to something, by asset and seq.

    Where more than a few thousand do, they are the first of those that the index has first: all
    would have to be sorted to know the first of all.

    Raises:
        FieldError: what is asked for is no text.
    """
    wanted_type, wanted_id = check_text(type_, "q"), check_text(id_, "q")
    kind = entries.c.reference_type
    query = (
        select(entries.c.asset, entries.c.seq, entries.c.id)
        .where(
            entries.c.reference_id == wanted_id,
            kind == wanted_type if wanted_type else kind.is_(None),
        )
        .limit(_EXAMINED)
    )
    with ledger.reading() as connection:
        found = [Reference(*row) for row in connection.execute(query)]
    return sorted(found)[:most]


def batches_with(ledger: Ledger, wanted: Hash32, most: int) -> list[BatchHash]:
    """Return the batches that have a hash: as id, head, tree root or payload hash.

    No index has these, so every batch is looked at. There are few: one for thousands of entries.
    """
    query = (
        select(batches.c.asset, batches.c.number, *_HASHES.values())
        .where(or_(*(column == bytes(wanted) for column in _HASHES.values())))
        .limit(most)
    )
    with ledger.reading() as connection:
        rows = connection.execute(query).all()
    return [
        BatchHash(what, row[0], row[1])
        for row in rows
        for what, value in zip(_HASHES, row[2:], strict=True)
        if value == wanted
    ]


def seal_with(ledger: Ledger, wanted: Hash32) -> int | None:
    """Return the number of the seal with an id."""
    with ledger.reading() as connection:
        query = select(seals.c.number).where(seals.c.id == bytes(wanted))
        return connection.execute(query).scalar()
