"""Faults to plant in the ledger: if the machine missed one, what it proves would be little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger import hold_rules, posting, rules
from ledger.locked import Locked
from ledger.model import Status
from ledger.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

    from ledger import Receipt, RefusedError
    from ledger.results import Hold
    from ledger.runs import Run


def releases_too_much(patch: pytest.MonkeyPatch) -> None:
    """Release one base unit more than a hold that is posted holds."""
    post = Locked.post

    def with_one_more(self: Locked, *of: Any, released: int = 0, **by: Any) -> object:  # noqa: ANN401 (as `post`)
        return post(self, *of, released=released + (released > 1), **by)

    patch.setattr(Locked, "post", with_one_more)


def sweeps_backwards(patch: pytest.MonkeyPatch) -> None:
    """Let the latest expiry go first."""
    sweep = hold_rules.sweep

    def backwards(locked: Locked, due: Iterable[Hold]) -> None:
        sweep(locked, reversed([*due]))

    patch.setattr(posting, "sweep", backwards)


def sweeps_nothing(patch: pytest.MonkeyPatch) -> None:
    """Never let a hold expire."""
    patch.setattr(posting, "sweep", lambda *_: None)


def lets_the_frozen_pay(patch: pytest.MonkeyPatch) -> None:
    """Refuse only what the closed would pay."""
    check = Locked.check_usable

    def forgiving(self: Locked, from_account: str, to_account: str) -> None:
        if self.statuses.get(from_account) != Status.FROZEN:
            check(self, from_account, to_account)

    patch.setattr(Locked, "check_usable", forgiving)


def compares_no_request(patch: pytest.MonkeyPatch) -> None:
    """Give the first result of a key to whoever sends it."""
    patch.setattr(rules, "request_hash", lambda *_: bytes(32))


def keeps_what_it_rehearsed(patch: pytest.MonkeyPatch) -> None:
    """Commit a dry run."""

    def commit(self: Transactions, runs: Sequence[Run]) -> list[Receipt | RefusedError]:
        return [result for run in runs for result in self.post(run)]

    patch.setattr(Transactions, "rehearse", commit)


def forgets_limits(patch: pytest.MonkeyPatch) -> None:
    """Look at no largest debit."""
    patch.setattr(Locked, "check_debit", lambda *_: None)


FAULTS: Final[list[Callable[[pytest.MonkeyPatch], None]]] = [
    releases_too_much,
    sweeps_backwards,
    sweeps_nothing,
    lets_the_frozen_pay,
    compares_no_request,
    keeps_what_it_rehearsed,
    forgets_limits,
]
