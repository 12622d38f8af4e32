"""`evm-ledger hold`: amounts set aside, posted, released, listed; and every refusal of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.shell import Shell
from tests.ledger.support import dump

NOBODY = "0x" + "07" * 32
LATER = "2100-01-31T12:00:00+00:00"


def money(tokens: str) -> dict[str, str]:
    whole, _, fraction = tokens.partition(".")
    return {"tokens": tokens, "base_units": str(int(whole + fraction.ljust(18, "0")))}


def place(shell: Shell, *words: object) -> str:
    return str(shell.json("hold", "place", "alice", "10", *words)["id"])


def available(shell: Shell, account_id: str) -> str:
    return str(shell.json("balance", account_id)["available"]["tokens"])


def test_a_hold_is_placed_posted_in_part_and_voided(any_stocked: Shell) -> None:
    words = ["--reason", "order", "--reference-type", "cart", "--reference-id", "8", "--memo", "m"]
    held = any_stocked.json(
        "hold", "place", "alice", "10", "--to", "bob", "--expires-at", LATER, "--key", "k", *words
    )
    assert (held.pop("created_at"), held.pop("updated_at")) != ("", "")
    hold_id = held.pop("id")
    assert held == {
        "asset": "SCI", "number": 1, "state": "pending", "account_id": "alice",
        "to_account": "bob", "amount": money("10"), "remaining": money("10"),
        "expires_at": LATER, "reason": "order", "reference_type": "cart", "reference_id": "8",
        "memo": "m", "idempotency_key": "k", "repeated": False,
    }  # fmt: skip
    assert available(any_stocked, "alice") == "990"

    posted = any_stocked.json("hold", "post", hold_id, "--amount", "4", "--keep-rest")
    entry, hold = posted["entry"], posted["hold"]
    assert (entry["kind"], entry["cause"], entry["reason"]) == ("hold", hold_id, "order")
    assert (entry["from_account"], entry["to_account"]) == ("alice", "bob")
    assert (hold["state"], hold["remaining"]) == ("pending", money("6"))
    assert any_stocked.json("hold", "show", hold_id) == hold

    voided = any_stocked.json("hold", "void", hold_id)
    assert (voided["state"], voided["remaining"]) == ("voided", money("0"))
    assert available(any_stocked, "alice") == "996"
    assert any_stocked.json("audit")["ok"]


def test_what_people_read(any_stocked: Shell) -> None:
    said = any_stocked.run("hold", "place", "alice", "2.5", "--to", "bob", "--expires-at", LATER)
    first, second = said.splitlines()
    assert first == f"2.5 SCI of alice held for bob until {LATER}"
    hold_id = second.removeprefix("id ")
    table = any_stocked.run("hold", "list").splitlines()
    assert table[0].split() == [
        "since", "asset", "account", "to", "amount", "held", "state", "expires", "id",
    ]  # fmt: skip
    assert table[1].split()[1:] == [
        "SCI", "alice", "bob", "2.5", "2.5", "pending", LATER, hold_id,
    ]  # fmt: skip
    line, rest = any_stocked.run(
        "hold", "post", hold_id, "--amount", "1", "--keep-rest"
    ).splitlines()
    assert line.startswith("1 SCI  alice -> bob  seq 3  id 0x")
    assert rest == "still held: 1.5 SCI"
    shown = any_stocked.run("hold", "show", hold_id).splitlines()
    assert shown[:3] == [
        f"1.5 SCI of alice held for bob until {LATER}", second, "first held: 2.5 SCI",
    ]  # fmt: skip
    assert any_stocked.run("hold", "post", hold_id).startswith("1.5 SCI  alice -> bob  seq 4")
    assert any_stocked.run("hold", "list") == "no holds are pending\n"
    assert any_stocked.run("hold", "show", hold_id).startswith(
        "2.5 SCI of alice held for bob: posted\n"
    )


def test_a_hold_for_nobody_yet_names_who_gets_it(any_stocked: Shell) -> None:
    hold_id = place(any_stocked)
    assert any_stocked.fails("hold", "post", hold_id).startswith("HOLD_ACCOUNT: ")
    assert any_stocked.run("hold", "post", hold_id, "--to", "bob").startswith(
        "10 SCI  alice -> bob"
    )
    other = place(any_stocked, "--to", "bob")
    assert "HOLD_ACCOUNT: the hold is for 'bob', not 'system'" in any_stocked.fails(
        "hold", "post", other, "--to", "system"
    )


def test_posting_a_part_releases_the_rest(any_stocked: Shell) -> None:
    hold_id = place(any_stocked, "--to", "bob")
    any_stocked.run("hold", "post", hold_id, "--amount", "3")
    assert available(any_stocked, "alice") == "997"
    assert any_stocked.json("hold", "show", hold_id)["state"] == "posted"


def test_holds_are_listed_by_state_account_and_asset(any_stocked: Shell) -> None:
    any_stocked.run("asset", "create", "GOLD", "--decimals", "0")
    sci = ["--asset", "SCI"]
    any_stocked.run("mint", "bob", "7", "--asset", "GOLD")
    first = any_stocked.json("hold", "place", "alice", "1", *sci)["id"]
    second = any_stocked.json("hold", "place", "alice", "2", *sci)["id"]
    gold = any_stocked.json("hold", "place", "bob", "3", "--asset", "GOLD")["id"]
    any_stocked.run("hold", "void", first)

    def ids(*words: str) -> list[str]:
        return [hold["id"] for hold in any_stocked.json("hold", "list", *words)]

    assert ids() == [second, gold]
    assert ids("--state", "all") == [first, second, gold]
    assert ids("--state", "voided") == [first]
    assert ids("--account", "bob") == [gold]
    assert ids("--state", "all", *sci) == [first, second]
    assert any_stocked.run("hold", "list", "--state", "expired") == "no holds are expired\n"
    assert any_stocked.json("hold", "list", "--state", "posted") == []


def test_a_hold_expires_by_itself(any_stocked: Shell) -> None:
    hold_id = place(any_stocked, "--expires-in", "1s")
    time.sleep(1.1)
    assert any_stocked.fails("hold", "post", hold_id, "--to", "bob").startswith("HOLD_EXPIRED: ")
    any_stocked.run("mint", "bob", "1")  # what is posted next sweeps it
    assert any_stocked.json("hold", "show", hold_id)["state"] == "expired"
    assert available(any_stocked, "alice") == "1000"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)), ("30m", timedelta(minutes=30)), ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)), ("4w", timedelta(weeks=4)),
    ],
)  # fmt: skip
def test_how_long_a_hold_lasts(stocked: Shell, text: str, span: timedelta) -> None:
    before = datetime.now(UTC)
    held = stocked.json("hold", "place", "alice", "1", "--expires-in", text)
    assert before + span <= datetime.fromisoformat(held["expires_at"]) <= datetime.now(UTC) + span


def test_a_key_places_posts_and_voids_once(any_stocked: Shell) -> None:
    words = ["hold", "place", "alice", "10", "--to", "bob", "--key", "k"]
    first = any_stocked.json(*words)
    assert any_stocked.json(*words) == {**first, "repeated": True}
    assert any_stocked.run(*words).splitlines()[0].endswith("(already placed with this key)")
    assert available(any_stocked, "alice") == "990"
    assert any_stocked.fails("hold", "place", "alice", "9", "--key", "k").startswith("KEY_REUSED: ")
    words = ["hold", "post", first["id"], "--amount", "1", "--keep-rest", "--key", "p"]
    posted = any_stocked.json(*words)
    assert any_stocked.json(*words)["entry"] == {**posted["entry"], "repeated": True}
    words = ["hold", "void", first["id"], "--key", "v"]
    assert any_stocked.json(*words)["repeated"] is False
    assert any_stocked.json(*words)["repeated"] is True
    assert available(any_stocked, "alice") == "999"


def test_a_dry_run_changes_nothing(any_stocked: Shell) -> None:
    hold_id = place(any_stocked, "--to", "bob")
    before = dump(any_stocked.database)
    said = any_stocked.run("hold", "place", "alice", "5", "--to", "bob", "--dry-run")
    assert said == "dry run: 5 SCI of alice held for bob\n"
    assert any_stocked.json("hold", "place", "alice", "5", "--dry-run")["dry_run"] is True
    assert any_stocked.run("hold", "post", hold_id, "--dry-run") == (
        "dry run: 10 SCI  alice -> bob  seq 3\n"
    )
    assert any_stocked.run("hold", "void", hold_id, "--dry-run").startswith("dry run: 10 SCI")
    assert any_stocked.fails("hold", "place", "bob", "6", "--dry-run") == (
        "INSUFFICIENT_AVAILABLE: 'bob' has 5 SCI available, 6 are asked"
    )
    assert dump(any_stocked.database) == before


REFUSED = [
    (["place", "alice", "0"], "AMOUNT_ZERO"),
    (["place", "alice", "-1"], "never negative"),
    (["place", "alice", "1e3"], "amount: must be a plain decimal"),
    (["place", "alice", "0.0000000000000000001"], "more than 18 decimals; nothing is rounded"),
    (["place", "alice", "1000.5"], "'alice' has 990 SCI available, 1000.5 are asked"),
    (["place", "alice", "1", "--to", "alice"], "SAME_ACCOUNT"),
    (["place", "nobody", "1"], "UNKNOWN_ACCOUNT: no account 'nobody'"),
    (["place", "alice", "1", "--to", "nobody"], "UNKNOWN_ACCOUNT: no account 'nobody'"),
    (["place", "system", "1"], "account_id: is the issuer 'system'"),
    (["place", "alice", "1", "--asset", "TIN"], "UNKNOWN_ASSET"),
    (["place", "alice", "1", "--expires-at", "2001-01-01T00:00:00Z"], "EXPIRY_PASSED"),
    (["place", "alice", "1", "--expires-at", "tomorrow"], "expires_at: 'tomorrow' is no instant"),
    (["place", "alice", "1", "--expires-at", "2100-01-31"], "expires_at: '2100-01-31' is no insta"),
    (["place", "alice", "1", "--expires-in", "0s"], "expires_in: '0s' is no duration like 90s"),
    (["place", "alice", "1", "--expires-in", "1.5h"], "expires_in: '1.5h' is no duration"),
    (["place", "alice", "1", "--expires-in", "\u0661h"], "is no duration"),
    (["place", "alice", "1", "--expires-in", "2 h"], "is no duration"),
    (["place", "alice", "1", "--expires-in", "999999w"], "999999w ends after the year 9999"),
    (["place", "alice", "1", "--expires-in", "1h", "--expires-at", LATER], "name one of"),
    (["place", "alice", "1", "--expires-in", "1h", "--key", "k"], "with --key give --expires-at"),
    (["place", "alice", "1", "--memo", "x" * 4_097], "memo: must be at most 4096"),
    (["post", NOBODY], f"UNKNOWN_HOLD: no hold {NOBODY}"),
    (["post", "0x12"], "hold: must be 0x and 64 hex digits"),
    (["post", "{hold}", "--amount", "11"], "ABOVE_HOLD: the hold still holds 10 SCI, not 11"),
    (["post", "{hold}", "--amount", "0"], "AMOUNT_ZERO"),
    (["post", "{hold}", "--amount", "x"], "amount: must be a plain decimal"),
    (["post", "{hold}", "--keep-rest"], "keep_rest: goes with an amount"),
    (["post", "{hold}", "--to", "alice"], "HOLD_ACCOUNT"),
    (["void", NOBODY], "UNKNOWN_HOLD"),
    (["void", "hold"], "hold: must be 0x and 64 hex digits"),
    (["void", "{voided}"], "HOLD_VOIDED"),
    (["post", "{voided}"], "HOLD_VOIDED"),
    (["post", "{posted}"], "HOLD_POSTED"),
    (["void", "{posted}"], "HOLD_POSTED"),
    (["show", NOBODY], "UNKNOWN_HOLD"),
    (["show", ""], "hold: must be 0x and 64 hex digits"),
    (["list", "--account", "nobody"], "UNKNOWN_ACCOUNT"),
    (["list", "--asset", "TIN"], "UNKNOWN_ASSET"),
    (["list", "--state", "lost"], "'lost' is not one of 'pending', 'posted', 'voided', 'expired'"),
]


def test_refusals_are_named_and_change_nothing(any_stocked: Shell) -> None:
    ids = {name: place(any_stocked, "--to", "bob") for name in ("hold", "voided", "posted")}
    any_stocked.run("hold", "void", ids["voided"])
    any_stocked.run("hold", "post", ids["posted"])
    any_stocked.run("mint", "alice", "10")
    before = dump(any_stocked.database)
    for words, says in REFUSED:
        filled = [word.format(**ids) if "{" in word else word for word in words]
        assert says in any_stocked.fails("hold", *filled), words
        assert dump(any_stocked.database) == before, words


def test_a_frozen_account_holds_nothing_new(any_stocked: Shell) -> None:
    hold_id = place(any_stocked, "--to", "bob")
    any_stocked.run("account", "freeze", "alice")
    assert any_stocked.fails("hold", "place", "alice", "1").startswith("ACCOUNT_FROZEN: ")
    assert any_stocked.fails("hold", "post", hold_id).startswith("ACCOUNT_FROZEN: ")
    assert any_stocked.run("hold", "void", hold_id).endswith(": voided\n")


def test_a_hold_counts_as_a_debit(any_stocked: Shell) -> None:
    any_stocked.run("account", "limit", "alice", "--max-debit", "2.5", "--max-balance", "any")
    assert any_stocked.fails("hold", "place", "alice", "3") == (
        "DEBIT_LIMIT: 'alice' allows debits of at most 2.5 SCI, 3 are asked"
    )


def test_any_account_id(any_stocked: Shell) -> None:
    name = "b\u00f6b' 5 base units \U0001f642"
    any_stocked.run("account", "create", name, "--initial-balance", "3")
    assert any_stocked.fails("hold", "place", name, "4").endswith("available, 4 are asked")
    assert "has 3 SCI available" in any_stocked.fails("hold", "place", name, "4")
    assert "5 base units" in any_stocked.fails("hold", "place", name, "4")
    assert any_stocked.json("hold", "place", name, "1")["account_id"] == name
    assert name in any_stocked.run("hold", "list", "--account", name)


def test_a_ledger_without_its_pepper_is_only_read(stocked: Shell) -> None:
    hold_id = place(stocked, "--to", "bob")
    paid = stocked.json("transfer", "alice", "bob", "1")["id"]
    stocked.run("account", "freeze", "bob")
    stocked.run("seal")
    stocked.run("export", "out")
    copy = Shell("sqlite:///copy.db")
    copy.run("import", "out")
    assert copy.json("hold", "show", hold_id) == stocked.json("hold", "show", hold_id)
    assert [hold["id"] for hold in copy.json("hold", "list")] == [hold_id]
    assert copy.json("account", "show", "bob")["status"] == "frozen"
    before = dump(copy.database)
    for words in (
        ["hold", "place", "alice", "1"],
        ["hold", "place", "alice", "1", "--dry-run"],
        ["hold", "post", hold_id],
        ["hold", "void", hold_id],
        ["reverse", paid],
        ["account", "reopen", "bob"],
        ["account", "limit", "bob", "--max-debit", "1", "--max-balance", "1"],
        ["account", "create", "carol"],
    ):
        assert copy.fails(*words).startswith("READ_ONLY: "), words
    assert dump(copy.database) == before
