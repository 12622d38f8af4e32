"""Histories for the planner: each makes a ledger whose gas is counted in another way."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ledger import Group, Hash32, Kind, Ledger, Movement, OpenAccount, RefusedError
from tests.bridge.histories import LEDGER_ID, PEPPER, post, seal_all, steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable

MAX: Final = 2**256 - 1


def new_ledger(
    url: str, *symbols: str, decimals: int = 18, version: str = "LedgerToken/1"
) -> Ledger:
    """Make a ledger with these assets: the same addresses every time."""
    ledger = Ledger.create(url, ledger_id=LEDGER_ID, pepper=PEPPER, clock=steady_clock())
    for symbol in symbols or ("SCI",):
        ledger.create_asset(symbol, f"{symbol} token", decimals, token_version=version)
    return ledger


def open_accounts(ledger: Ledger, count: int, balance: int) -> None:
    """Open a0, a1, ... with this balance."""
    opened = ledger.post_many(OpenAccount(f"a{number}", balance) for number in range(count))
    assert not any(isinstance(receipt, RefusedError) for receipt in opened)


def few_accounts(url: str) -> Ledger:
    """Three accounts that move odd amounts to and fro."""
    ledger = new_ledger(url)
    names = ["a", "b", "c"]
    for name in names:
        ledger.create_account(name, 10**24)
    post(ledger, *(Movement(names[n % 3], names[(n + 1) % 3], 7 * n + 1) for n in range(600)))
    seal_all(ledger)
    return ledger


def many_new_accounts(url: str) -> Ledger:
    """More accounts than one transaction can open; the last ones are not sealed."""
    ledger = new_ledger(url)
    ledger.create_account("rich", 10**30)
    open_accounts(ledger, 900, 0)
    post(ledger, *(Movement("rich", f"a{number}", 10**18) for number in range(700)))
    seal_all(ledger)
    post(ledger, *(Movement("rich", f"a{number}", 10**18 + 1) for number in range(650, 900)))
    return ledger


def mixed(url: str) -> Ledger:
    """Two assets, mints, burns, transfers and groups over both, of random amounts."""
    ledger = new_ledger(url, "SCI", "GOLD")
    chance = random.Random(4)
    names = [f"a{number}" for number in range(60)]
    for name in names:
        ledger.create_account(name, chance.randrange(10**20), asset="SCI")
    post(ledger, *(Movement("system", name, 10**9, "GOLD") for name in names))
    for step in range(300):
        a, b = chance.sample(names, 2)
        amount = chance.randrange(1, 10**6)
        match step % 5:
            case 0:
                ledger.mint(a, amount, asset="SCI")
            case 1:
                ledger.burn(a, amount, asset="GOLD")
            case 2:
                swap = (Movement(a, b, amount, "SCI"), Movement(b, a, amount, "GOLD"))
                post(ledger, Group(swap))
            case _:
                ledger.transfer(a, b, amount * 10**9, asset="SCI")
        if step % 100 == 70:
            ledger.seal()
    return ledger


def tiny_batches(url: str) -> Ledger:
    """A seal after every few entries."""
    ledger = new_ledger(url)
    for number in range(12):
        ledger.create_account(f"a{number}", 5 * 10**18)
        if number % 3 == 2:
            ledger.transfer("a0", f"a{number}", 1)
        ledger.seal()
    return ledger


def emptied(url: str) -> Ledger:
    """Accounts that get all they have, and then have nothing: refunds up to their cap."""
    ledger = new_ledger(url)
    open_accounts(ledger, 200, 9)
    seal_all(ledger)
    post(ledger, *(Movement(f"a{number}", "a0", 9) for number in range(1, 200)))
    seal_all(ledger)
    ledger.burn("a0", 1_800)
    ledger.seal()
    ledger.mint("a7", 5)
    return ledger


def largest_amounts(url: str) -> Ledger:
    """All that there can be, handed from one to the next and burned; and the largest scale."""
    ledger = new_ledger(url, "SCI", "GOLD")
    names = [f"a{number}" for number in range(40)]
    ledger.create_account(names[0], MAX, asset="SCI")
    for name in names[1:]:
        ledger.create_account(name, 0, asset="SCI")
    post(ledger, *(Movement(a, b, MAX, "SCI") for a, b in pairwise(names)))
    ledger.seal()
    ledger.burn(names[-1], MAX, asset="SCI")
    ledger.mint("a1", 10**77, asset="GOLD")
    ledger.seal()
    return ledger


def one_large_group(url: str) -> Ledger:
    """A group that no transaction can carry: the bridge cuts it."""
    ledger = new_ledger(url)
    ledger.create_account("rich", 10**30)
    open_accounts(ledger, 800, 0)
    post(ledger, Group(tuple(Movement("rich", f"a{number}", 10**9) for number in range(800))))
    seal_all(ledger)
    return ledger


def of_a_chain(url: str) -> Ledger:
    """What only a chain's own history has: nothing moved, and moved to oneself."""
    ledger = new_ledger(url)

    def chained(from_: str, to: str, amount: int, number: int) -> Movement:
        cause = Hash32(number.to_bytes(32, "big"))
        return Movement(from_, to, amount, kind=Kind.CHAIN, cause=cause)

    ledger.create_account("a", 700)
    ledger.create_account("b", 0)
    ledger.seal()
    post(ledger, *(chained("a", "b", 0, number) for number in range(1, 60)))
    ledger.seal()
    post(ledger, *(chained("a", "a", 10 * number, number) for number in range(60, 70)))
    post(ledger, chained("a", "b", 0, 70), chained("b", "b", 0, 71))
    ledger.seal()
    return ledger


HISTORIES: Final[dict[str, Callable[[str], Ledger]]] = {
    make.__name__: make
    for make in (
        few_accounts,
        many_new_accounts,
        mixed,
        tiny_batches,
        emptied,
        largest_amounts,
        one_large_group,
        of_a_chain,
    )
}
