"""What a database holds, read behind the ledger's back, and what must be true of it (I1 to I7)."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from ledger import ISSUER
from ledger.hashing import keccak
from tests.ledger.support import TABLES

if TYPE_CHECKING:
    from tests.ledger.support import Raw

Row = dict[str, Any]
State = dict[str, list[Row]]

_AMOUNTS: Final = {
    "amount", "balance", "total_earned", "total_spent", "total_staked", "max_debit", "max_balance",
    "balance_after_from", "balance_after_to", "remaining", "endowment",
}  # fmt: skip

_OWN: Final = {"token_submissions": "", "token_assets": "created_at", "token_settings": ""}
"""Columns that each database fills by its own clock."""


def read_state(database: Raw) -> State:
    """Return every row of every table, the same for the same history on every database."""
    return {table: _rows(database, table) for table in TABLES}


def _rows(database: Raw, table: str) -> list[Row]:
    cursor = database.connection.execute(f"SELECT * FROM {table}")  # noqa: S608 (our own names)
    names = [column[0] for column in cursor.description]
    own = _OWN.get(table, "")
    rows = [
        {n: _plain(n, v) for n, v in zip(names, row, strict=True) if n != own}
        for row in cursor.fetchall()
    ]
    return sorted(rows, key=repr)


def _plain(name: str, value: object) -> object:
    """Return a cell as Python means it."""
    if value is None:
        return None
    if name in _AMOUNTS and isinstance(value, bytes):
        return int.from_bytes(value, "big")
    if name in _AMOUNTS:
        return int(value)  # type: ignore[call-overload]  # NUMERIC comes as a whole Decimal
    if isinstance(value, memoryview | bytes):
        return bytes(value)
    return int(value) if isinstance(value, bool) else value


def check_invariants(state: State) -> None:
    """Assert I1 to I4, the heads of I5, I6, and the tiles of I7."""
    _balances(state)
    _journals(state)
    _seals(state)


def _balances(state: State) -> None:
    staked: dict[Any, int] = defaultdict(int)
    for hold in state["token_holds"]:
        staked[hold["asset"], hold["account_id"]] += hold["remaining"]
        assert (hold["state"] == "pending") == (hold["remaining"] > 0)
    sums: dict[int, int] = defaultdict(int)
    supply: dict[int, Row] = {}
    for row in state["token_balances"]:
        place = (row["asset"], row["account_id"])
        assert row["balance"] == row["total_earned"] - row["total_spent"]  # I2
        assert row["balance"] >= row["total_staked"] >= 0, place
        assert row["total_staked"] == staked.pop(place, 0), place  # I3
        if row["account_id"] == ISSUER:
            supply[row["asset"]] = row
        else:
            sums[row["asset"]] += row["balance"]
    assert not any(staked.values())
    for asset, total in sums.items():
        assert total == (supply[asset]["balance"] if asset in supply else 0)  # I1


def _journals(state: State) -> None:
    heads = {row["asset"]: row for row in state["token_journals"]}
    entries: dict[int, list[Row]] = defaultdict(list)
    for entry in state["token_ledger"]:
        entries[entry["asset"]].append(entry)
    events: dict[int, list[int]] = defaultdict(list)
    for event in state["token_events"]:
        events[event["asset"]].append(event["number"])
    for asset, row in heads.items():
        assert sorted(events[asset]) == list(range(1, row["events"] + 1))
        journal = sorted(entries[asset], key=lambda entry: entry["seq"])
        assert [it["seq"] for it in journal] == list(range(1, row["seq"] + 1))  # I4
        for before, entry in pairwise(journal):
            together = entry["group_id"] is not None and entry["group_id"] == before["group_id"]
            assert together or entry["timestamp"] > before["timestamp"]
            assert not together or entry["timestamp"] == before["timestamp"]
            assert entry["head"] == keccak(before["head"] + entry["id"])  # I5
        if journal:
            assert (row["head"], row["last_time"]) == (
                journal[-1]["head"],
                journal[-1]["timestamp"],
            )
        _running(journal, state, asset)


def _seals(state: State) -> None:
    seals = sorted(state["token_seals"], key=lambda row: row["number"])
    assert [row["number"] for row in seals] == list(range(1, len(seals) + 1))
    for before, row in pairwise(seals):
        assert row["prev_seal"] == before["id"]
    batches: dict[int, list[Row]] = defaultdict(list)
    for row in state["token_batches"]:
        batches[row["asset"]].append(row)
    groups = {(entry["asset"], entry["seq"]): entry["group_id"] for entry in state["token_ledger"]}
    for asset, rows in batches.items():
        rows.sort(key=lambda row: row["number"])
        assert rows[0]["first_seq"] == 1
        for before, row in pairwise(rows):
            assert row["first_seq"] == before["last_seq"] + 1
            cut = (groups[asset, before["last_seq"]], groups[asset, row["first_seq"]])
            assert cut[0] is None or cut[0] != cut[1]


def _running(journal: list[Row], state: State, asset: int) -> None:
    """Assert that what is kept beside entries is their running sum (I6), and the rows' too."""
    has: dict[str, int] = defaultdict(int)
    for entry in journal:
        for side, sign in (("from_account", -1), ("to_account", 1)):
            account = entry[side]
            has[account] += entry["amount"] * (-sign if account == ISSUER else sign)
        if entry["from_account"] != entry["to_account"]:
            assert entry["balance_after_from"] == has[entry["from_account"]]
        assert entry["balance_after_to"] == has[entry["to_account"]]
    for row in state["token_balances"]:
        if row["asset"] == asset:
            assert row["balance"] == has[row["account_id"]]
