"""`evm-ledger supply` with its figures, and `changes` from cursor to cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable


def money(tokens: int) -> dict[str, str]:
    return {"tokens": str(tokens), "base_units": f"{tokens}{'0' * 18}" if tokens else "0"}


# --- supply ----------------------------------------------------------------------------------


def test_figures(any_stocked: Shell) -> None:
    any_stocked.run("transfer", "alice", "bob", "495")
    any_stocked.run("burn", "bob", "5")
    any_stocked.run("hold", "place", "bob", "20")
    assert any_stocked.json("supply", "--window", "24h", "--top", "1") == {
        "asset": "SCI",
        "total_supply": money(1_000),
        "minted": money(1_005),
        "burned": money(5),
        "earned": money(1_500),
        "spent": money(500),
        "staked": money(20),
        "holders": 2,
        "gini": "0.005000",
        "top": [{"account_id": "alice", "balance": money(505), "share": "0.505000"}],
        "velocity": {"window": "24h", "transfers": 1, "amount": money(495), "ratio": "0.495000"},
    }
    assert any_stocked.json("supply", "--top", "0")["velocity"] is None
    assert any_stocked.run("supply", "--window", "24h").splitlines() == [
        "supply    1000 SCI",
        "minted    1005",
        "burned    5",
        "earned    1500",
        "spent     500",
        "staked    20",
        "holders   2",
        "gini      0.005000",
        "velocity  0.495000 in 24h: 1 transfer of 495 SCI",
        "holder    alice  505  50.50 %",
        "holder    bob  495  49.50 %",
    ]


def test_figures_of_nothing(any_shell: Shell) -> None:
    any_shell.run("init", "--symbol", "SCI")
    found = any_shell.json("supply", "--window", "1h")
    assert (found["gini"], found["top"], found["velocity"]["ratio"]) == (None, [], None)
    said = any_shell.run("supply", "--window", "1h")
    assert "gini      nobody has any\nvelocity  no supply in 1h: 0 transfers of 0 SCI\n" in said


def test_what_changed_hands_may_pass_what_an_amount_holds(stocked: Shell) -> None:
    stocked.run("asset", "create", "BIG", "--decimals", "0")
    stocked.run("mint", "alice", str(2**254), "--asset", "BIG")
    for pair in (("alice", "bob"), ("bob", "alice")) * 2:
        stocked.run("transfer", *pair, str(2**254), "--asset", "BIG")
    moved = stocked.json("supply", "--asset", "BIG", "--window", "1h")["velocity"]["amount"]
    assert moved == {"tokens": str(2**256), "base_units": str(2**256)}
    assert f"of {2**256} BIG\n" in stocked.run("supply", "--asset", "BIG", "--window", "1h")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--window", "90m"], "INVALID_FIELD: window: must be 1 .. 1000000 whole hours"),
        (["--window", "30"], "INVALID_FIELD: window: '30' is no duration like 90s"),
        (["--window", "999999w"], "INVALID_FIELD: window: must be 1 .. 1000000 whole hours"),
        (["--window", "-1h"], "window: '-1h' is no duration"),
        (["--top", "1001"], "1001 is not in the range 0<=x<=1000"),
        (["--top", "-1"], "-1 is not in the range"),
        (["--window", "1h", "--asset", "TIN"], "UNKNOWN_ASSET"),
    ],
)
def test_figures_that_cannot_be(stocked: Shell, words: list[str], says: str) -> None:
    assert says in stocked.fails("supply", *words)


# --- changes ---------------------------------------------------------------------------------


def everything(shell: Shell) -> dict[str, str]:
    """Make a change of every type, and return the ids of the holds."""
    place = ["hold", "place", "alice", "10", "--to", "bob"]
    posted, voided = (shell.json(*place)["id"] for _ in range(2))
    shell.run("hold", "post", posted, "--amount", "4", "--keep-rest")
    shell.run("hold", "void", voided)
    for change in ("freeze", "reopen"):
        shell.run("account", change, "alice")
    shell.run("account", "limit", "bob", "--max-debit", "2.5", "--max-balance", "any")
    return {"posted": posted, "voided": voided}


def test_changes(any_stocked: Shell) -> None:
    ids = everything(any_stocked)
    page = any_stocked.json("changes")
    assert page["more"] is False
    assert [(it["asset"], it["type"], it["account_id"]) for it in page["changes"]] == [
        (None, "account_created", "system"),
        (None, "account_created", "alice"),
        (None, "account_created", "bob"),
        (None, "account_frozen", "alice"),
        (None, "account_reopened", "alice"),
        ("SCI", "entry", None),
        ("SCI", "entry", None),
        ("SCI", "hold_created", "alice"),
        ("SCI", "hold_created", "alice"),
        ("SCI", "entry", None),
        ("SCI", "hold_posted", "alice"),
        ("SCI", "hold_voided", "alice"),
        ("SCI", "limits_changed", "bob"),
    ]
    entry, posted, voided, limits = page["changes"][-4:]
    assert entry["entry"] == any_stocked.json("statement", "bob")[-1]
    assert (posted["hold"], voided["hold"]) == (ids["posted"], ids["voided"])
    assert posted["details"] == {"amount": money(4), "remaining": money(6), "seq": 3}
    assert limits["details"] == {
        "max_debit": {"tokens": "2.5", "base_units": "2500000000000000000"}, "max_balance": None,
    }  # fmt: skip


def test_changes_go_on_from_any_cursor(any_stocked: Shell) -> None:
    everything(any_stocked)
    whole = any_stocked.json("changes")["changes"]
    for number, change in enumerate(whole, 1):
        rest = any_stocked.json("changes", "--after", change["cursor"])["changes"]
        assert rest == whole[number:]
    first = any_stocked.json("changes", "--limit", "4")
    assert (first["changes"], first["more"]) == (whole[:4], True)
    last = any_stocked.json("changes", "--after", first["cursor"])
    assert any_stocked.json("changes", "--after", last["cursor"]) == {
        "changes": [], "cursor": last["cursor"], "more": False,
    }  # fmt: skip
    any_stocked.run("mint", "bob", "1")
    [new] = any_stocked.json("changes", "--after", last["cursor"])["changes"]
    assert new["entry"]["seq"] == 4


def test_what_people_read_of_changes(any_stocked: Shell) -> None:
    ids = everything(any_stocked)
    lines = any_stocked.run("changes").splitlines()
    assert lines[0].split() == ["time", "asset", "what", "account", "details"]
    assert lines[-1] == f"later: --after {any_stocked.json('changes')['cursor']}"
    assert lines[-4].endswith(f"hold {ids['posted']}, amount 4, remaining 6, seq 3")
    assert lines[-2].endswith("limits changed    bob      max debit 2.5, max balance any")
    more = any_stocked.run("changes", "--limit", "1").splitlines()
    assert more[-1].startswith("more: --after ")
    cursor = lines[-1].split()[-1]
    assert (
        any_stocked.run("changes", "--after", cursor) == f"nothing new\nlater: --after {cursor}\n"
    )


def test_the_changes_of_an_imported_ledger(any_stocked: Shell) -> None:
    everything(any_stocked)
    any_stocked.run("seal")
    any_stocked.run("export", "out", "--secrets", "secrets.json")
    copy = Shell("sqlite:///copy.db")
    copy.run("import", "out", "--secrets", "secrets.json")
    types = [change["type"] for change in copy.json("changes")["changes"]]
    assert types.count("entry") == 3
    assert types.count("hold_created") == 1
    assert copy.run("changes").count("\n") == len(types) + 2


def other(_: Shell) -> str:
    elsewhere = Shell("sqlite:///elsewhere.db")
    elsewhere.run("init", "--symbol", "SCI")
    return str(elsewhere.json("changes")["cursor"])


@pytest.mark.parametrize("cursor", [other, lambda _: "nonsense", lambda _: ""])
def test_a_cursor_that_is_none(stocked: Shell, cursor: Callable[[Shell], str]) -> None:
    assert stocked.fails("changes", "--after", cursor(stocked)) == (
        "INVALID_FIELD: after: is no cursor of this ledger's changes; start without one"
    )


@pytest.mark.parametrize("limit", ["0", "1001", "x"])
def test_a_limit_that_cannot_be(stocked: Shell, limit: str) -> None:
    assert "'--limit'" in stocked.fails("changes", "--limit", limit)
