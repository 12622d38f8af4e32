"""`evm-ledger balance --at`, and `statement` with filters, in pages, both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ledger import Ledger

if TYPE_CHECKING:
    from tests.cli.shell import Shell


def history(shell: Shell) -> list[dict[str, Any]]:
    """Book a small history, and return bob's entries."""
    earn = ["--reason", "earn:debate", "--reference-type", "debate"]
    shell.run("account", "create", "b\u00f6b")
    shell.run("transfer", "alice", "bob", "1", *earn, "--reference-id", "17")
    shell.run("transfer", "alice", "bob", "2", *earn, "--reference-id", "18")
    shell.run("transfer", "b\u00f6b", "bob", "3", "--reason", "earn:vote")
    shell.run("transfer", "bob", "alice", "4", "--reason", "spend")
    return list(shell.json("statement", "bob"))


def seqs(shell: Shell, *words: str) -> list[int]:
    return [entry["seq"] for entry in shell.json("statement", "bob", *words)]


def test_filters(any_stocked: Shell) -> None:
    entries = history(any_stocked)
    every = [2, 4, 5, 6, 7]
    assert [entry["seq"] for entry in entries] == every
    assert seqs(any_stocked, "--newest-first") == every[::-1]
    assert seqs(any_stocked, "--reason-prefix", "earn:") == [4, 5, 6]
    assert seqs(any_stocked, "--reason-prefix", "earn:d", "--newest-first") == [5, 4]
    assert seqs(any_stocked, "--reference-type", "debate") == [4, 5]
    assert seqs(any_stocked, "--reference-id", "18") == [5]
    assert seqs(any_stocked, "--counterparty", "alice") == [4, 5, 7]
    assert seqs(any_stocked, "--counterparty", "bo\u0308b") == [6]
    assert seqs(any_stocked, "--counterparty", "system") == [2]
    assert seqs(any_stocked, "--counterparty", "nobody") == []
    times = {entry["seq"]: entry["time"] for entry in entries}
    assert seqs(any_stocked, "--since", times[5]) == [5, 6, 7]
    assert seqs(any_stocked, "--until", times[5]) == [2, 4]
    assert seqs(any_stocked, "--since", times[4], "--until", times[6]) == [4, 5]
    assert any_stocked.run("statement", "bob", "--reason-prefix", "x") == "no entries\n"


@pytest.mark.parametrize("direction", [[], ["--newest-first"]], ids=["oldest", "newest"])
def test_pages(any_stocked: Shell, direction: list[str]) -> None:
    history(any_stocked)
    words = ["statement", "bob", "--counterparty", "alice", *direction]
    whole = any_stocked.json(*words)
    pages: list[int] = []
    cursor: list[str] = []
    while True:
        page = any_stocked.json(*words, "--limit", "2", *cursor)
        pages.append(len(page["entries"]))
        assert page["entries"] == whole[: len(page["entries"])]
        whole = whole[len(page["entries"]) :]
        if page["cursor"] is None:
            break
        cursor = ["--cursor", page["cursor"]]
        assert any_stocked.json(*words, *cursor) == whole  # all the rest
    assert (whole, pages[:1]) == ([], [2])
    lines = any_stocked.run(*words, "--limit", "2").splitlines()
    assert len(lines) == 4
    assert lines[3] == f"more: {' '.join(cursor)}"


def test_a_long_statement_is_read_in_pages(stocked: Shell) -> None:
    with Ledger.open(stocked.database) as ledger:
        for number in range(1_100):
            ledger.transfer("alice", "bob", number + 1, reason="odd" if number % 2 else "even")
    assert len(stocked.json("statement", "bob", "--newest-first")) == 1_101
    page = stocked.json("statement", "bob", "--reason-prefix", "odd", "--limit", "500")
    assert len(page["entries"]) == 500
    rest = stocked.json("statement", "bob", "--reason-prefix", "odd", "--cursor", page["cursor"])
    assert len(rest) == 50


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--until", "now"], "until: 'now' is no instant with its offset"),
        (["--since", "2026-01-31T12:00:00"], "since: '2026-01-31T12:00:00' is no instant"),
        (["--limit", "0"], "0 is not in the range 1<=x<=1000"),
        (["--limit", "1001"], "1001 is not in the range 1<=x<=1000"),
        (["--limit", "ten"], "'ten' is not a valid integer range"),
        (["--cursor", "nonsense"], "INVALID_FIELD: cursor: "),
        (["--counterparty", ""], "counterparty: must be 1..255"),
        (["--reason-prefix", "r" * 256], "reason_prefix: must be at most 255"),
    ],
)
def test_a_statement_that_cannot_be(stocked: Shell, words: list[str], says: str) -> None:
    assert says in stocked.fails("statement", "alice", *words)


def test_a_cursor_is_of_one_account_and_direction(any_stocked: Shell) -> None:
    history(any_stocked)
    cursor = any_stocked.json("statement", "bob", "--limit", "1")["cursor"]
    for words in (["alice"], ["bob", "--newest-first"]):
        said = any_stocked.fails("statement", *words, "--cursor", cursor)
        assert said.startswith("INVALID_FIELD: cursor: ")


# --- balance --at ----------------------------------------------------------------------------


def test_a_balance_as_it_was(any_stocked: Shell) -> None:
    entries = history(any_stocked)
    for entry in entries:
        side = "from" if entry["from_account"] == "bob" else "to"
        after = entry[f"balance_after_{side}"]
        for at in (str(entry["seq"]), entry["time"]):
            found = any_stocked.json("balance", "bob", "--at", at)
            assert found == {"asset": "SCI", "account_id": "bob", "at": at, "balance": after}
    assert any_stocked.run("balance", "bob", "--at", "1") == "0 SCI\n"
    assert any_stocked.run("balance", "bob", "--at", "0") == "0 SCI\n"
    now = datetime.now(UTC).isoformat()
    assert any_stocked.run("balance", "bob", "--at", now) == any_stocked.run("balance", "bob")


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("3", "at: is 3, but the journal ends at 2"),
        ("9" * 5_000, "at: "),
        ("-1", "at: '-1' is no instant"),
        ("1.5", "at: '1.5' is no instant"),
        ("", "at: '' is no instant"),
        ("yesterday", "at: 'yesterday' is no instant"),
        ("\u0663", "is no instant"),
    ],
)
def test_a_moment_that_cannot_be(stocked: Shell, at: str, says: str) -> None:
    assert says in stocked.fails("balance", "alice", "--at", at)
