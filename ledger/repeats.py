"""Idempotency keys rebuilt from what carries them, for an import. Values only.

Keys are hashed into entries and holds, so they survive an export; what they stood for is in the
entries of the same group, or in the hold. The key of an account's creation is in neither:
repeating it is refused as ACCOUNT_EXISTS, and books nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledger.canonical import imported_hash, request_hash
from ledger.ids import group_id
from ledger.model import ZERO_HASH, Kind
from ledger.requests import Group, PlaceHold, movement_of
from ledger.results import Entry, Receipt
from ledger.rules import KeyState
from ledger.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ledger.model import Hash32
    from ledger.results import Hold

Keyed = tuple[str, KeyState]
"""A key, and what it made."""


@dataclass(slots=True)
class KeyedRequests:
    """Takes every entry, journal after journal; gives each key once its request is whole."""

    domain: bytes
    assets: Mapping[str, Hash32]
    """The asset ids by symbol."""
    _open: list[Entry] = field(default_factory=list)
    """The group that the last entries belong to, as far as it is known."""
    _parts: dict[bytes, list[Entry]] = field(default_factory=dict)
    """Groups over several assets, until all journals have passed."""

    def take(self, entries: Iterable[Entry]) -> Iterator[Keyed]:
        """Take the next entries of a journal; yield the keys whose requests are whole."""
        for entry in entries:
            if self._open and self._open[0].group != entry.group:
                yield from self._close()
            if entry.group != ZERO_HASH:
                if self._open and self._open[0].asset != entry.asset:
                    yield from self._close()
                self._open.append(entry)
            elif entry.idempotency_key:
                yield entry.idempotency_key, KeyState(_request_of(entry), Receipt((entry,)))

    def finish(self) -> Iterator[Keyed]:
        """Yield the keys of groups over several assets, after the last journal."""
        yield from self._close()
        for entries in self._parts.values():
            yield from _of_group(entries)

    def _close(self) -> Iterator[Keyed]:
        """Give the key of the group that ended, unless other journals have parts of it."""
        if not self._open:
            return
        entries, first = self._open, self._open[0]
        self._open = []
        whole = group_id(self.domain, self.assets[first.asset], first.seq, len(entries))
        if whole == first.group:
            yield from _of_group(entries)
        else:
            self._parts.setdefault(first.group, []).extend(entries)


def keyed_hold(hold: Hold) -> Keyed:
    """Return the key of a pending hold with what it made: the hold as it was first."""
    item = PlaceHold(
        hold.account_id,
        hold.amount,
        hold.to_account,
        hold.asset,
        None if hold.expires_at is None else moment_of(hold.expires_at),
        hold.reason,
        hold.reference_type,
        hold.reference_id,
        hold.memo,
    )
    first = replace(hold, remaining=hold.amount, updated_at=hold.created_at)
    request = request_hash(item, [hold.asset])
    return hold.idempotency_key, KeyState(request, Receipt(hold=first))


def _of_group(entries: list[Entry]) -> Iterator[Keyed]:
    """Yield the key of a whole group, if it has one."""
    keys = [entry.idempotency_key for entry in entries if entry.idempotency_key]
    if keys:
        group = Group(tuple(movement_of(entry) for entry in entries))
        request = request_hash(group, [entry.asset for entry in entries])
        yield keys[0], KeyState(request, Receipt(tuple(entries)))


def _request_of(entry: Entry) -> bytes:
    """Return what the key of an entry alone stands for.

    What is kept of a hold that was posted is not all that was asked (whether the rest was kept):
    its key is known, and any request with it is refused.
    """
    if entry.kind == Kind.HOLD:
        return imported_hash(entry.id)
    return request_hash(movement_of(entry), [entry.asset])
