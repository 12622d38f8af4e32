"""What is done once for a key, with its answer: whole or not at all, whoever asks again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ledger import (
    FieldError,
    Group,
    Ledger,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    RefusedError,
    Reverse,
    Rule,
    VoidHold,
)
from tests.ledger.support import dump, economy, refused_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ledger.requests import Item


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with economy(database_url, "alice", "bob") as made:
        yield made


def frozen(ledger: Ledger, connection: Connection) -> str:
    """Freeze alice on a connection of `once`."""
    return str(ledger.on(connection, "SCI", accounts=True).freeze_account("alice").status)


def test_it_is_done_once_and_answers_alike(ledger: Ledger) -> None:
    assert ledger.once("k", "freeze", lambda it: frozen(ledger, it)) == ("frozen", False)
    ledger.reopen_account("alice")
    assert ledger.once("k", "freeze", lambda it: frozen(ledger, it)) == ("frozen", True)
    assert str(ledger.account("alice").status) == "open"
    assert ledger.audit().ok


def test_assets_and_seals_take_part(ledger: Ledger) -> None:
    def found(connection: Connection) -> str:
        asset = ledger.create_asset("GLD", "Gold", 2, connection=connection)
        sealed = ledger.seal(connection=connection)
        assert sealed is not None
        return f"{asset.symbol} {sealed.seal.number}"

    assert ledger.once("found", "gold", found) == ("GLD 1", False)
    assert ledger.once("found", "gold", found) == ("GLD 1", True)
    assert (ledger.asset("GLD").decimals, ledger.last_seal()) == (2, 1)


def test_what_fails_leaves_nothing(ledger: Ledger, database_url: str) -> None:
    def fails(connection: Connection) -> str:
        ledger.create_asset("GLD", "Gold", 2, connection=connection)
        ledger.seal(connection=connection)
        ledger.on(connection, "SCI").transfer("alice", "bob", 1, asset="SCI")
        return str(ledger.on(connection, "SCI").transfer("alice", "bob", 10**9, asset="SCI"))

    before = dump(database_url)
    assert refused_by(lambda: ledger.once("k", "x", fails)) == Rule.INSUFFICIENT_AVAILABLE
    assert dump(database_url) == before
    assert [asset.symbol for asset in ledger.assets()] == ["SCI"]
    assert ledger.once("k", "y", lambda _: "done") == ("done", False)


def test_a_key_is_of_one_request(ledger: Ledger) -> None:
    ledger.once("k", "one", lambda _: "done")
    assert refused_by(lambda: ledger.once("k", "two", lambda _: "again")) == Rule.KEY_REUSED
    ledger.transfer("alice", "bob", 1, idempotency_key="paid")
    assert refused_by(lambda: ledger.once("paid", "one", lambda _: "x")) == Rule.KEY_REUSED
    for wrong in ("", "k" * 256, "k\0"):
        with pytest.raises(FieldError):
            ledger.once(wrong, "one", lambda _: "x")


def test_no_posting_takes_its_key(ledger: Ledger) -> None:
    ledger.once("k", "one", lambda _: "done")
    entry, hold = ledger.transfer("alice", "bob", 1), ledger.hold("alice", 1)
    head = ledger.head()
    items: list[Item] = [
        Movement("alice", "bob", 1, idempotency_key="k"),
        Group((Movement("alice", "bob", 1),), "k"),
        OpenAccount("carol", 1, idempotency_key="k"),
        PlaceHold("alice", 1, idempotency_key="k"),
        PostHold(hold.id, to_account="bob", idempotency_key="k"),
        VoidHold(hold.id, "k"),
        Reverse(entry.id, idempotency_key="k"),
    ]
    results = ledger.post_many(items)
    assert [it.rule for it in results if isinstance(it, RefusedError)] == [Rule.KEY_REUSED] * 7
    assert ledger.head() == head
    assert list(ledger.hold_keys()) == []


def test_two_who_ask_at_once_get_one_answer(ledger: Ledger) -> None:
    """The second waits for the first's commit, and is told its answer."""
    inside, may_end = threading.Event(), threading.Event()
    answers: list[tuple[str, bool]] = []

    def slow(connection: Connection) -> str:
        inside.set()
        may_end.wait()
        return str(ledger.on(connection, "SCI").transfer("alice", "bob", 1).seq)

    def ask(do: str) -> None:
        answers.append(ledger.once("k", "pay", slow if do == "slow" else lambda _: "second"))

    first = threading.Thread(target=ask, args=("slow",))
    second = threading.Thread(target=ask, args=("quick",))
    first.start()
    inside.wait()
    second.start()
    may_end.set()
    first.join()
    second.join()
    assert sorted(answers) == [("3", False), ("3", True)]
    assert ledger.get_balance("bob") == 1_001
