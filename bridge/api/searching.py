"""What a search box finds: accounts, addresses, ids, references."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from ledger.errors import LedgerError
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger import Ledger

_MOST = 50


class Found(NamedTuple):
    """One thing that was found."""

    kind: str
    name: str
    path: str


def find(ledger: Ledger, wanted: str) -> list[Found]:
    """Return what `wanted` may mean: the one thing that has that name, or all that begin so."""
    if not wanted:
        return []
    for one in _exactly(ledger, wanted):
        return [one]
    return list(islice(_like(ledger, wanted), _MOST))


def _exactly(ledger: Ledger, wanted: str) -> Iterator[Found]:
    """Yield what has exactly that name."""
    with suppress(LedgerError):
        yield _account(ledger.account(wanted).account_id)
    with suppress(LedgerError):
        yield _account(ledger.account_with(Address.parse(wanted)).account_id)
    with suppress(LedgerError):
        entry = ledger.entry(Hash32.parse(wanted.lower()))
        yield Found("entry", str(entry.id), f"/entry/{entry.id}")
    with suppress(LedgerError):
        hold = ledger.find_hold(Hash32.parse(wanted.lower()))
        yield Found("hold", str(hold.id), f"/holds?asset={quote(hold.asset, safe='')}")


def _like(ledger: Ledger, wanted: str) -> Iterator[Found]:
    """Yield entries with that reference, written `type/id`, `type:id` or `id`; then accounts."""
    pairs = [("", wanted)]
    pairs += [(type_, id_) for mark in "/: " for type_, _, id_ in [wanted.partition(mark)] if id_]
    for type_, id_ in pairs:
        with suppress(LedgerError):
            for entry in ledger.referenced(type_, id_, limit=_MOST):
                name = f"{entry.asset} entry {entry.seq}, {type_} {id_}"
                yield Found("entry", name, f"/entry/{entry.id}")
    with suppress(LedgerError):
        for account in islice(ledger.accounts(wanted), _MOST):
            yield _account(account.account_id)


def _account(account_id: str) -> Found:
    """Return an account that was found."""
    return Found("account", account_id, f"/account/{quote(account_id, safe='')}")
