"""What must follow from what in reversals, as audit and import share it. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ledger.checks import group_parts, same
from ledger.ids import group_id
from ledger.model import ZERO_HASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ledger.checks import JournalCheck
    from ledger.model import Hash32
    from ledger.results import Asset, Entry


class Original(NamedTuple):
    """What a reversal undoes, as far as it must fit."""

    seq: int
    from_account: str
    to_account: str
    amount: int
    group: bytes


@dataclass(slots=True)
class _Run:
    """The entries of one group in one journal that reverse another's, the last one first."""

    group: bytes
    old: bytes
    first: int
    row: str
    lowest: int
    """The seq of the last original."""
    count: int = 1


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of a group, or of what it reverses, over several assets."""

    asset: Hash32
    row: str
    first: int
    old: bytes
    lowest: int
    count: int


@dataclass(slots=True)
class ReversalCheck:
    """Checks the reversals of one journal, in order."""

    domain: bytes
    asset: Asset
    parts: dict[bytes, list[_Part]] = field(default_factory=dict)
    """Of groups that this journal alone does not prove to be whole."""
    _run: _Run | None = None

    def check(self, entries: Iterable[Entry], originals: Mapping[bytes, Original]) -> None:
        """Check the next reversals; `originals` are by id what they name. Raises FoundError."""
        for entry in entries:
            row = f"{self.asset.symbol}/{entry.seq}"
            old = originals.get(entry.cause)
            if old is None or old.seq >= entry.seq:
                same("token_ledger", row, "cause", "the id of an earlier entry", str(entry.cause))
                continue
            same("token_ledger", row, "from_account", old.to_account, entry.from_account)
            same("token_ledger", row, "to_account", old.from_account, entry.to_account)
            if entry.group == ZERO_HASH:
                self.end()
                same("token_ledger", row, "cause", "no part of a group", _part_of(old))
                if entry.amount > old.amount:
                    same("token_ledger", row, "amount", f"at most {old.amount}", entry.amount)
            else:
                same("token_ledger", row, "amount", old.amount, entry.amount)
                self._continue(entry, old, row)

    def _continue(self, entry: Entry, old: Original, row: str) -> None:
        """Take one more reversal of a group."""
        run = self._run
        if run is None or run.group != entry.group:
            self.end()
            self._run = _Run(entry.group, old.group, entry.seq, row, old.seq)
            return
        same("token_ledger", row, "cause", f"entry {run.lowest - 1}", f"entry {old.seq}")
        run.lowest = old.seq
        run.count += 1

    def end(self) -> None:
        """End a group: prove that it reverses a whole one, or keep it for the other journals."""
        run, self._run = self._run, None
        if run is None:
            return
        asset = self.asset.id
        whole = group_id(self.domain, asset, run.lowest, run.count) == run.old
        if not whole or group_id(self.domain, asset, run.first, run.count) != run.group:
            part = _Part(asset, run.row, run.first, run.old, run.lowest, run.count)
            self.parts.setdefault(run.group, []).append(part)


def _part_of(old: Original) -> str:
    """Say whether an original stands alone."""
    return "no part of a group" if old.group == ZERO_HASH else f"entry {old.seq}, of a group"


def check_reversed_groups(
    journals: Sequence[JournalCheck], reversals: Iterable[ReversalCheck]
) -> None:
    """Prove that groups over several assets were reversed whole. Raises FoundError."""
    known = group_parts(journals)
    found: dict[bytes, list[_Part]] = {}
    for check in reversals:
        for group, parts in check.parts.items():
            found.setdefault(group, []).extend(parts)
    for group, parts in found.items():
        row = parts[0].row
        same("token_ledger", row, "cause", {parts[0].old}, {part.old for part in parts})
        own = {(part.asset, part.first_seq, part.count) for part in known.get(group, ())}
        old = {(part.asset, part.first_seq, part.count) for part in known.get(parts[0].old, ())}
        is_own = own == {(part.asset, part.first, part.count) for part in parts}
        is_old = old == {(part.asset, part.lowest, part.count) for part in parts}
        same("token_ledger", row, "cause", "a whole group", _told(whole=is_own and is_old))


def _told(*, whole: bool) -> str:
    """Say whether a group was reversed whole."""
    return "a whole group" if whole else "part of a group"
