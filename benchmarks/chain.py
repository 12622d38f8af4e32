"""What a chain charges for a replay, and how many balances one call reads for a verification."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Final

from benchmarks import replay_gas
from benchmarks.measure import Result, Watch
from bridge.chain import Chain
from bridge.proven import ProvenState
from bridge.tokens import BALANCES_A_CALL, read_balances
from ledger.model import Address
from tests.contracts.token import Token, address, mint, new_token
from tests.support.guardian import Guardian
from tests.support.nodes import start_anvil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MINTS: Final = 500
"""New holders in one replay: a transaction may use 2**24 gas."""
_ONES: Final = 50
"""Balances that are read one a call."""


def measure() -> Iterator[Result]:
    """Measure on an Anvil with Osaka's rules."""
    with closing(Guardian()) as guardian:
        node = start_anvil(guardian, "--hardfork", "osaka", "--enable-tx-gas-limit")
        for row in replay_gas.measure(new_token(node)):
            what, _, beside = str(row["name"]).partition(" / ")
            value, baseline = float(str(row["value"])), float(str(row["baseline"]))
            yield Result(what, value, beside, baseline, str(row["unit"]))
        with Chain.connect(node.url) as chain:
            yield from _balances(new_token(node, symbol="BAL"), chain)
        node.stop()


def _balances(token: Token, chain: Chain) -> Iterator[Result]:
    """Read as many balances as `verify` asks for in one call, then a few one by one."""
    holders = [address(10**40 + number) for number in range(BALANCES_A_CALL)]
    rest = iter(holders)
    while some := list(islice(rest, MINTS)):
        token.replay(*(mint(holder, 1 + int.from_bytes(holder) % 997) for holder in some))
    many, one, proven = Watch(), Watch(), Watch()
    with many.running():
        found = _read(chain, token, holders)
    assert found == [1 + int.from_bytes(holder) % 997 for holder in holders]
    with one.running():
        for holder in holders[:_ONES]:
            _read(chain, token, [holder])
    yield Result("verify: balances in one call", len(found), "one balanceOf", 1, "balances")
    rates = len(found) / many.seconds, _ONES / one.seconds
    yield Result("verify: balances read", rates[0], "one a call", rates[1], "balances/s")
    with proven.running():
        state = ProvenState(chain, chain.block())
        assert list(state.balances(_contract(token), holders)) == found
    rate = len(found) / proven.seconds
    yield Result("verify: balances proven", rate, "read in one call", rates[0], "balances/s")


def _read(chain: Chain, token: Token, holders: Sequence[Address]) -> list[int]:
    """Read balances as `verify` does, at the last block."""
    return list(read_balances(chain, _contract(token), holders, chain.block("latest")))


def _contract(token: Token) -> Address:
    """Return where the token is."""
    return Address(bytes.fromhex(token.address[2:]))
