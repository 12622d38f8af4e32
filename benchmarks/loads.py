"""What is posted: small payments among a number of accounts, each with a key of its own."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from ledger import Ledger, Movement, OpenAccount, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.requests import Item

SYMBOL: Final = "BEN"
HOT: Final = "account-0"
KINDS: Final = 7
"""How many reasons there are."""


def account(number: int) -> str:
    """Return the id of an account."""
    return f"account-{number}"


class Load:
    """An endless supply of payments among `accounts` accounts; no two share a key."""

    def __init__(self, accounts: int, tag: str = "") -> None:
        self._accounts = accounts
        self._tag = tag
        self._dice = random.Random(accounts)
        self._made = 0

    def take(self, count: int, *, hot: float = 0.0) -> list[Movement]:
        """Return the next `count` payments; a share of `hot` of them moves the hot account."""
        return [self._payment(hot) for _ in range(count)]

    def runs(self, count: int, run: int, *, hot: float = 0.0) -> Iterator[list[Movement]]:
        """Return `count` payments in lists of `run`."""
        for start in range(0, count, run):
            yield self.take(min(run, count - start), hot=hot)

    def _payment(self, hot: float) -> Movement:
        payer, payee = self._dice.sample(range(1, self._accounts), 2)
        if self._dice.random() < hot:
            payer, payee = (0, payee) if self._dice.random() < 0.5 else (payer, 0)  # noqa: PLR2004 (a coin)
        self._made += 1
        number = f"{self._tag}{self._made}"
        return Movement(
            account(payer),
            account(payee),
            self._dice.randrange(1, 10**9),
            SYMBOL,
            reason=f"pay:{self._made % KINDS}",
            reference_type="order",
            reference_id=number,
            idempotency_key=f"key-{number}",
        )


def populated(url: str, accounts: int) -> Ledger:
    """Return a new ledger with `accounts` endowed accounts."""
    ledger = Ledger.create(url)
    ledger.create_asset(SYMBOL, "Benchmark")
    post(ledger, [OpenAccount(account(number)) for number in range(accounts)])
    return ledger


def post(ledger: Ledger, items: Sequence[Item]) -> None:
    """Post `items` in one call, all of which must succeed."""
    for result in ledger.post_many(items):
        if isinstance(result, RefusedError):
            raise result


def post_singly(ledger: Ledger, items: Sequence[Item]) -> None:
    """Post `items` one a call, as applications do."""
    for item in items:
        post(ledger, [item])


def shares(items: Sequence[Movement], count: int) -> list[Sequence[Movement]]:
    """Return `items` dealt out to `count` workers."""
    return [items[number::count] for number in range(count)]
