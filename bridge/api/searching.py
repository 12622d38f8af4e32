"""What a search box finds: accounts, addresses, ids, hashes, numbers, references."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.api.links import account_url, batch_url, entry_url, hold_url, seal_url, url
from bridge.api.lists import batches_with, referring, seal_with
from bridge.api.onchain import replays_in
from bridge.api.reads import token_of
from ledger.errors import LedgerError
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger import Asset, Ledger

MOST: Final = 50
"""Things that are found at most."""

_ASSETS: Final = 25
"""Assets in which a bare number is looked for."""

_NUMBER: Final = re.compile(
    r"(?:(?P<kind>batch|seal|entry)\s+)?(?:(?P<symbol>\S+)[\s/#]+)?#?(?P<number>\d{1,18})",
    re.ASCII | re.IGNORECASE,
)


class Found(NamedTuple):
    """One thing that was found."""

    kind: str
    name: str
    path: str


def find(ledger: Ledger, asked: str) -> list[Found]:
    """Return what `asked` may mean: the one thing that has that name, or all that come near.

    An account's id may begin or end with a space, which a search box brings along by mistake more
    often than not: it is looked for as it is, then without.
    """
    wanted = asked.strip()
    for text in dict.fromkeys((asked, wanted)):
        with suppress(LedgerError):
            return [_account(ledger.account(text).account_id)]
    if not wanted:
        return []
    exact = [*_with_address(ledger, wanted), *_with_hash(ledger, wanted)]
    if exact:
        return exact
    near = [*_numbered(ledger, wanted), *_like(ledger, wanted)]
    return list(dict.fromkeys(near))[:MOST]


def _with_address(ledger: Ledger, wanted: str) -> Iterator[Found]:
    """Yield the account, or the token, that has an address."""
    address = None
    with suppress(LedgerError):
        address = Address.parse(wanted)
    if address is None:
        return
    with suppress(LedgerError):
        yield _account(ledger.account_with(address).account_id)
    for asset in ledger.assets():
        if token_of(ledger, asset) == str(address):
            yield Found("token", asset.symbol, url("/", asset=asset.symbol))


def _with_hash(ledger: Ledger, wanted: str) -> Iterator[Found]:
    """Yield what has a hash: as its id, its head, its root, or the transaction that replayed it."""
    hash_ = None
    with suppress(LedgerError):
        hash_ = Hash32.parse(wanted.lower())
    if hash_ is None:
        return
    with suppress(LedgerError):
        yield Found("entry", str(hash_), entry_url(ledger.entry(hash_).id))
    with suppress(LedgerError):
        yield Found("hold", str(hash_), hold_url(ledger.find_hold(hash_).id))
    symbols = {asset.number: asset.symbol for asset in ledger.assets()}
    for what, asset, number in batches_with(ledger, hash_, MOST):
        symbol = symbols[asset]
        path = batch_url(number, symbol)
        yield Found(what, f"{symbol} batch {number}", path)
    seal = seal_with(ledger, hash_)
    if seal is not None:
        yield Found("seal", f"seal {seal}", seal_url(seal))
    for asset, replayed in replays_in(ledger, hash_):
        symbol = symbols[asset]
        batch = ledger.batch_with(replayed.first_seq, symbol)
        if batch is not None:
            name = f"{symbol} batch {batch.batch.number}, in block {replayed.block_number}"
            path = batch_url(batch.batch.number, symbol)
            yield Found("transaction", name, path)


def _numbered(ledger: Ledger, wanted: str) -> Iterator[Found]:
    """Yield entries, batches and seals with a number: `7`, `SCI 7`, `SCI/7`, `batch 7`."""
    asked = _NUMBER.fullmatch(wanted)
    if asked is None:
        return
    kind, symbol, number = (asked["kind"] or "").lower(), asked["symbol"], int(asked["number"])
    if number == 0:
        return
    assets = [it for it in ledger.assets() if symbol in {None, it.symbol}][:_ASSETS]
    for asset in assets:
        yield from _in_asset(ledger, asset, kind, number)
    if kind in {"", "seal"} and symbol is None and number <= ledger.last_seal():
        yield Found("seal", f"seal {number}", seal_url(number))


def _in_asset(ledger: Ledger, asset: Asset, kind: str, number: int) -> Iterator[Found]:
    """Yield the entry and the batch of an asset with a number."""
    symbol = asset.symbol
    if kind in {"", "entry"}:
        for entry in ledger.entries(symbol, number, number):
            yield Found("entry", f"{symbol} entry {number}", entry_url(entry.id))
    if kind in {"", "batch"} and ledger.batch(number, symbol) is not None:
        yield Found("batch", f"{symbol} batch {number}", batch_url(number, symbol))


def _like(ledger: Ledger, wanted: str) -> Iterator[Found]:
    """Yield entries with that reference, written `type/id`, `type:id` or `id`; then accounts."""
    pairs = [("", wanted)]
    pairs += [(type_, id_) for mark in "/: " for type_, _, id_ in [wanted.partition(mark)] if id_]
    symbols = {asset.number: asset.symbol for asset in ledger.assets()}
    for type_, id_ in pairs:
        with suppress(LedgerError):
            for asset, seq, hash_ in referring(ledger, type_, id_, MOST):
                name = f"{symbols[asset]} entry {seq}, {type_} {id_}"
                yield Found("entry", name, entry_url(Hash32(hash_)))
    with suppress(LedgerError):
        for account in islice(ledger.accounts(wanted), MOST):
            yield _account(account.account_id)


def _account(account_id: str) -> Found:
    """Return an account that was found."""
    return Found("account", account_id, account_url(account_id))
