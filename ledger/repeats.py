"""Idempotency keys rebuilt from the entries that carry them, for an import. Values only.

Keys are hashed into entries, so they survive an export; what they stood for is in the entries of
the same group. The key of an account's creation is in no entry: repeating it is refused as
ACCOUNT_EXISTS, and books nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.ids import group_id
from ledger.model import ZERO_HASH, Kind
from ledger.requests import Group, Movement, request_hash
from ledger.results import Entry, Receipt
from ledger.rules import KeyState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ledger.model import Hash32

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
                request = request_hash(_movement(entry), [entry.asset])
                yield entry.idempotency_key, KeyState(request, Receipt((entry,)))

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


def _of_group(entries: list[Entry]) -> Iterator[Keyed]:
    """Yield the key of a whole group, if it has one."""
    keys = [entry.idempotency_key for entry in entries if entry.idempotency_key]
    if keys:
        group = Group(tuple(_movement(entry) for entry in entries))
        request = request_hash(group, [entry.asset for entry in entries])
        yield keys[0], KeyState(request, Receipt(tuple(entries)))


def _movement(entry: Entry) -> Movement:
    """Return the request that made `entry`, without its key."""
    return Movement(
        entry.from_account,
        entry.to_account,
        entry.amount,
        entry.asset,
        entry.reason,
        entry.reference_type,
        entry.reference_id,
        entry.memo,
        kind=Kind(entry.kind),
        cause=entry.cause,
    )
