"""A chain that does not do its part changes nothing in the database: not one byte of a row (I8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from bridge.artifacts import token_creation
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import ForeignContractError, NoAnswerError, NoContractError, WrongChainError
from bridge.expected import read_expected
from bridge.replay import replay
from bridge.tokens import on_chain
from bridge.verify import verify
from ledger import Ledger
from tests.bridge.histories import fund, small_ledger
from tests.bridge.interference import forward, result, server
from tests.bridge.outcomes import BRIEF
from tests.ledger.support import dump, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from tests.ledger.support import Dump
    from tests.support.nodes import Node

    Work = Callable[[Ledger, Chain], object]


@pytest.fixture
def books(database_url: str) -> Iterator[Ledger]:
    """Return a small sealed ledger, on each kind of database in turn."""
    with small_ledger(database_url) as ledger:
        yield ledger


@pytest.fixture
def works(owner: Signer, chain: Chain) -> dict[str, Work]:
    """Return what the bridge does with a chain."""
    fund(chain, owner)
    return {
        "deploy": partial(deploy, signer=owner, patience=BRIEF),
        "replay": partial(replay, signer=owner, patience=BRIEF),
        "verify": verify,
        "expected heads": lambda ledger, through: read_expected(ledger, [through.name], None),
    }


def test_a_node_that_says_nothing(books: Ledger, database_url: str, works: dict[str, Work]) -> None:
    """It was there when the connection was made, and then hangs up on every question."""

    def silent(asked: dict[str, Any]) -> bytes | None:
        return result(asked, "0x7a69") if asked["method"] == "eth_chainId" else None

    for work in works.values():
        with (
            server(silent) as url,
            Chain.connect(url) as chain,
            unchanged(database_url),
            pytest.raises(NoAnswerError),
        ):
            work(books, chain)


def test_a_node_of_another_chain(
    books: Ledger, database_url: str, anvil: Node, works: dict[str, Work]
) -> None:
    for work in works.values():
        with unchanged(database_url), pytest.raises(WrongChainError):
            work(books, Chain.connect(anvil.url, expected_chain_id=10))


def test_a_chain_without_the_contract(
    books: Ledger, database_url: str, chain: Chain, works: dict[str, Work]
) -> None:
    for name in set(works) - {"deploy"}:
        with unchanged(database_url), pytest.raises(NoContractError):
            works[name](books, chain)


@pytest.mark.parametrize("code", ["another ledger's token", "another contract"])
def test_a_chain_with_something_else_in_its_place(
    *,
    books: Ledger,
    database_url: str,
    chain: Chain,
    works: dict[str, Work],
    owner: Signer,
    signer: Signer,
    code: str,
    tmp_path: Path,
) -> None:
    with Ledger.create(f"sqlite:///{tmp_path / 'other.db'}") as other:  # the factory is there then
        other.create_asset("SCI", "SCI token", 18)
        [token] = deploy(other, chain, signer).tokens
    there = "0x6001600055"
    if code == "another ledger's token":
        there = "0x" + chain.code(token.address, chain.block()).hex()
    books.set_operator("SCI", owner.address)
    asset = on_chain(chain, books.asset("SCI"))
    own = token_creation(books.identity.ledger_id, asset).address
    chain.request("anvil_setCode", str(own), there)
    for work in works.values():
        with unchanged(database_url), pytest.raises(ForeignContractError):
            work(books, chain)


# --- a node that stops in the middle: after each of its answers ---


@dataclass
class Attempt:
    """Work through a node that stops after a number of answers."""

    before: Dump
    after: Dump
    asked: int = 0
    sent: int = 0
    """Transactions that it was told to broadcast, whether it heard that or not."""
    done: bool = False


def attempts(ledger: Ledger, url: str, node: Node, work: Work, step: int = 1) -> Iterator[Attempt]:
    """Do `work` through nodes that live longer and longer, until one lives long enough."""
    for life in count(1, step):
        before = dump(url)
        attempt = Attempt(before, before)
        with server(partial(_answer, attempt, node, life)) as between:
            try:
                with Chain.connect(between) as chain:
                    work(ledger, chain)
                attempt.done = True
            except NoAnswerError:
                assert attempt.asked > life
        attempt.after = dump(url)
        yield attempt
        if attempt.done:
            return


def _answer(attempt: Attempt, node: Node, life: int, asked: dict[str, Any]) -> bytes | None:
    """Pass a request on, or hang up."""
    attempt.asked += 1
    attempt.sent += asked["method"] == "eth_sendRawTransaction"
    return None if attempt.asked > life else forward(node.port, asked)


def go_back(chain: Chain, snapshot: str) -> str:
    """Undo what was done on the chain since `snapshot`; return the next snapshot."""
    assert chain.request("evm_revert", snapshot)
    again: str = chain.request("evm_snapshot")
    return again


def test_a_node_that_stops_while_it_is_read(
    book: Ledger, sqlite_url: str, anvil: Node, chain: Chain, works: dict[str, Work]
) -> None:
    works["deploy"](book, chain)
    works["replay"](book, chain)
    for name in ("verify", "expected heads"):
        for attempt in attempts(book, sqlite_url, anvil, works[name]):
            assert attempt.after == attempt.before


def test_a_node_that_stops_during_deployment(
    book: Ledger, sqlite_url: str, anvil: Node, chain: Chain, works: dict[str, Work]
) -> None:
    """Nothing is stored but the outbox, and the operator of a token that is on the chain."""
    snapshot = chain.request("evm_snapshot")
    stored: list[str] = []
    for attempt in attempts(book, sqlite_url, anvil, works["deploy"], step=3):
        del attempt.before["token_submissions"], attempt.after["token_submissions"]
        known = [asset for asset in book.assets() if asset.operator]
        if len(known) == len(stored):
            assert attempt.after == attempt.before
        else:
            there = token_creation(book.identity.ledger_id, known[-1]).address
            assert chain.code(there, chain.block())
            del attempt.before["token_assets"], attempt.after["token_assets"]
            assert attempt.after == attempt.before
        stored = [asset.symbol for asset in known]
        snapshot = go_back(chain, snapshot)
        with book.connection() as connection:
            connection.exec_driver_sql("DELETE FROM token_submissions")
    assert stored == ["SCI", "GOLD"]


def test_a_node_that_stops_during_replay(
    book: Ledger, sqlite_url: str, anvil: Node, chain: Chain, works: dict[str, Work]
) -> None:
    """Nothing changes but the outbox, where a transaction is stored before it is sent."""
    works["deploy"](book, chain)
    snapshot = chain.request("evm_snapshot")
    stored = []
    for attempt in attempts(book, sqlite_url, anvil, works["replay"], step=5):
        stored.append(len(attempt.after["token_submissions"]))
        assert stored[-1] or not attempt.sent
        del attempt.before["token_submissions"], attempt.after["token_submissions"]
        assert attempt.after == attempt.before
        snapshot = go_back(chain, snapshot)
        with book.connection() as connection:
            connection.exec_driver_sql("DELETE FROM token_submissions")
    assert set(stored) == {0, 1, 2, 3, 4}
