"""Everything that can be wrong in an old ledger, planted one at a time.

Each plant spoils a generated ledger and returns exactly what a report must then name: kind,
table, row and field. Rows are added at the end, so plants can be combined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.legacy_model import DefectKind as Kind
from tests.legacy.old_ledger import END_OF_RUN as END

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.legacy.old_ledger import OldLedger, Row

Found = tuple[Kind, str, int, str]
"""Kind, table, row and field of a defect."""

LEDGER, ACCOUNTS = "token_ledger", "token_accounts"
PAYER, PAYEE = "agent-001", "agent-002"


def _applied(old: OldLedger, **changes: Any) -> int:  # noqa: ANN401 (any cell)
    """Add a payment that the old program did, with some cells changed; return its row."""
    old.move(PAYER, PAYEE, changes.pop("amount", 0.5), END)
    old.entries[-1].update(changes)
    return len(old.entries)


def _stray(old: OldLedger, **changes: Any) -> int:  # noqa: ANN401 (any cell)
    """Add a row that moved nothing, whatever it says; return it."""
    has = {name: old.accounts[name]["balance"] for name in (PAYER, PAYEE)}
    row = {"id": f"stray-{len(old.entries)}", "timestamp": END, "amount": 1.0}
    row |= {"from_account": PAYER, "to_account": PAYEE}
    row |= {"balance_after_from": has[PAYER], "balance_after_to": has[PAYEE]}
    texts: Row = dict.fromkeys(("reason", "reference_type", "reference_id", "memo"))
    old.entries.append(texts | row | changes)
    return len(old.entries)


def _applied_plant(kind: Kind, column: str, cell: object) -> Callable[[OldLedger], set[Found]]:
    return lambda old: {(kind, LEDGER, _applied(old, **{column: cell}), column)}


def _stray_plant(kind: Kind, column: str, cell: object) -> Callable[[OldLedger], set[Found]]:
    return lambda old: {(kind, LEDGER, _stray(old, **{column: cell}), column)}


def _account_plant(kind: Kind, column: str, cell: object) -> Callable[[OldLedger], set[Found]]:
    """Change a cell of an account of its own; a number is added to what is there."""

    def plant(old: OldLedger) -> set[Found]:
        name = f"spoilt-{len(old.accounts)}"
        old.open(name, END)
        old.move("system", name, 20.0, END)
        old.move(name, "system", 5.0, END)
        row = old.accounts[name]
        row[column] = row[column] + cell if isinstance(cell, float) else cell
        return {(kind, ACCOUNTS, len(old.accounts), column)}

    return plant


def _duplicate_id(old: OldLedger) -> set[Found]:
    return {(Kind.DUPLICATE_ID, LEDGER, _applied(old, id=old.entries[0]["id"]), "id")}


def _self_transfer(old: OldLedger) -> set[Found]:
    has = old.accounts[PAYER]["balance"]
    row = _stray(old, to_account=PAYER, balance_after_to=has)
    return {(Kind.SELF_TRANSFER, LEDGER, row, "to_account")}


def _balance_after(old: OldLedger) -> set[Found]:
    row = _applied(old)
    old.entries[-1]["balance_after_to"] += 1
    _applied(old)  # and the next one is right again
    return {(Kind.BALANCE_AFTER_DIFFERS, LEDGER, row, "balance_after_to")}


def _negative_moment(old: OldLedger) -> set[Found]:
    old.open("late", END)
    old.move("late", PAYEE, 5.0, END)
    row = len(old.entries)
    old.move("system", "late", 12.5, END)
    return {(Kind.NEGATIVE_MOMENT, LEDGER, row, "amount")}


def _stored_negative(old: OldLedger) -> set[Found]:
    old.open("broke", END)
    old.move("system", "broke", 2.0, END)
    old.accounts["broke"]["balance"] = -4.0
    return {(Kind.BALANCE_DIFFERS, ACCOUNTS, len(old.accounts), "balance")}


def _unknown_account(old: OldLedger) -> set[Found]:
    old.open("ghost", END)
    old.move("system", "ghost", 3.0, END)
    row = len(old.entries)
    old.move("ghost", PAYEE, 1.0, END)  # the second time is not reported again
    del old.accounts["ghost"]
    return {(Kind.UNKNOWN_ACCOUNT, LEDGER, row, "to_account")}


def _no_history(old: OldLedger) -> set[Found]:
    old.open("idle", END)
    return {(Kind.NO_HISTORY, ACCOUNTS, len(old.accounts), "account_id")}


def _no_history_but_rich(old: OldLedger) -> set[Found]:
    old.open("heir", END)
    old.accounts["heir"]["balance"] = 77.0
    row = len(old.accounts)
    return {
        (Kind.NO_HISTORY, ACCOUNTS, row, "account_id"),
        (Kind.BALANCE_DIFFERS, ACCOUNTS, row, "balance"),
    }


def _collision(old: OldLedger) -> set[Found]:
    for name in ("caf\u00e9", "cafe\u0301"):  # one id after NFC
        old.open(name, END)
        old.move("system", name, 1.0, END)
    return {
        (Kind.ACCOUNT_COLLISION, LEDGER, len(old.entries), "to_account"),
        (Kind.ACCOUNT_COLLISION, ACCOUNTS, len(old.accounts), "account_id"),
    }


def _duplicate_account(old: OldLedger) -> set[Found]:
    old.accounts["again"] = dict(old.accounts[PAYER])
    return {(Kind.DUPLICATE_ACCOUNT, ACCOUNTS, len(old.accounts), "account_id")}


def _nameless_account(old: OldLedger) -> set[Found]:
    old.open("nameless", END)
    old.accounts["nameless"]["account_id"] = None
    return {(Kind.MISSING_FIELD, ACCOUNTS, len(old.accounts), "account_id")}


def _invalid_account(account_id: str) -> Callable[[OldLedger], set[Found]]:
    def plant(old: OldLedger) -> set[Found]:
        old.open(account_id, END)
        return {(Kind.ACCOUNT_INVALID, ACCOUNTS, len(old.accounts), "account_id")}

    return plant


def _overflow(old: OldLedger) -> set[Found]:
    old.open("whale", END)
    for _ in range(2):
        old.move("system", "whale", 1e71, END)  # once fits below 2**256 with 6 decimals
    return {
        (Kind.TOTAL_OVERFLOW, LEDGER, len(old.entries), "amount"),
        (Kind.TOTAL_OVERFLOW, ACCOUNTS, len(old.accounts), "amount"),
    }


ACCEPTED: dict[str, Callable[[OldLedger], set[Found]]] = {
    "amount NULL": _stray_plant(Kind.MISSING_FIELD, "amount", None),
    "amount text": _stray_plant(Kind.WRONG_TYPE, "amount", "ten"),
    "amount blob": _stray_plant(Kind.WRONG_TYPE, "amount", b"\x00"),
    "amount infinite": _stray_plant(Kind.NOT_FINITE, "amount", float("inf")),
    "amount zero": _stray_plant(Kind.AMOUNT_ZERO, "amount", 0.0),
    "amount minus zero": _stray_plant(Kind.AMOUNT_ZERO, "amount", -0.0),
    "amount negative": _stray_plant(Kind.AMOUNT_NEGATIVE, "amount", -5.0),
    "amount of 7 decimals": _applied_plant(Kind.AMOUNT_DECIMALS, "amount", 1.0000005),
    "amount below a base unit": _applied_plant(Kind.AMOUNT_DECIMALS, "amount", 1e-7),
    "amount too large": _stray_plant(Kind.AMOUNT_TOO_LARGE, "amount", 1e80),
    "id NULL": _applied_plant(Kind.MISSING_FIELD, "id", None),
    "id empty": _applied_plant(Kind.MISSING_FIELD, "id", ""),
    "id too long": _applied_plant(Kind.ID_UNUSABLE, "id", "i" * 256),
    "id with NUL": _applied_plant(Kind.ID_UNUSABLE, "id", "tx\x00"),
    "id of the import's own": _applied_plant(Kind.ID_UNUSABLE, "id", "import:SCI:row:1"),
    "id blob": _applied_plant(Kind.WRONG_TYPE, "id", b"tx"),
    "id twice": _duplicate_id,
    "reason too long": _applied_plant(Kind.TEXT_INVALID, "reason", "r" * 256),
    "reference type with NUL": _applied_plant(Kind.TEXT_INVALID, "reference_type", "a\x00b"),
    "reference id blob": _applied_plant(Kind.WRONG_TYPE, "reference_id", b"\xff"),
    "memo too long": _applied_plant(Kind.TEXT_INVALID, "memo", "\u03a9" * 2_049),
    "time NULL": _stray_plant(Kind.MISSING_FIELD, "timestamp", None),
    "time in words": _stray_plant(Kind.TIME_UNREADABLE, "timestamp", "yesterday"),
    "time in seconds": _stray_plant(Kind.TIME_UNREADABLE, "timestamp", "1736154000"),
    "time impossible": _stray_plant(Kind.TIME_UNREADABLE, "timestamp", "2025-02-30T00:00:00"),
    "time before 1970": _stray_plant(Kind.TIME_UNREADABLE, "timestamp", "1969-12-31T23:59:59"),
    "time blob": _stray_plant(Kind.WRONG_TYPE, "timestamp", b"2025"),
    "time to come": _stray_plant(Kind.TIME_IN_FUTURE, "timestamp", "2999-01-01T00:00:00Z"),
    "payer NULL": _stray_plant(Kind.MISSING_FIELD, "from_account", None),
    "payee empty": _stray_plant(Kind.MISSING_FIELD, "to_account", ""),
    "payee blob": _stray_plant(Kind.WRONG_TYPE, "to_account", b"agent-002"),
    "pays itself": _self_transfer,
    "balance after wrong": _balance_after,
    "balance after NULL": _applied_plant(Kind.MISSING_FIELD, "balance_after_from", None),
    "balance after text": _applied_plant(Kind.WRONG_TYPE, "balance_after_to", "much"),
    "negative moment": _negative_moment,
    "unknown account": _unknown_account,
    "no history": _no_history,
    "no history, but rich": _no_history_but_rich,
    "balance too high": _account_plant(Kind.BALANCE_DIFFERS, "balance", 7.25),
    "balance too low": _account_plant(Kind.BALANCE_DIFFERS, "balance", -7.25),
    "balance negative": _stored_negative,
    "balance NULL": _account_plant(Kind.MISSING_FIELD, "balance", None),
    "balance text": _account_plant(Kind.WRONG_TYPE, "balance", "all"),
    "earned differs": _account_plant(Kind.EARNED_DIFFERS, "total_earned", 1.0),
    "spent differs": _account_plant(Kind.SPENT_DIFFERS, "total_spent", 1.0),
    "staked": _account_plant(Kind.STAKED, "total_staked", 3.0),
    "created in words": _account_plant(Kind.TIME_UNREADABLE, "created_at", "once"),
    "created to come": _account_plant(Kind.TIME_IN_FUTURE, "created_at", "2999-01-01"),
}
"""What `--accept` corrects."""

FATAL: dict[str, Callable[[OldLedger], set[Found]]] = {
    "payer unprintable": _stray_plant(Kind.ACCOUNT_INVALID, "from_account", "a\x07"),
    "account unprintable": _invalid_account("b\x00"),
    "account too long": _invalid_account("n" * 256),
    "account is a precompile": _invalid_account(f"0x{5:040x}"),
    "account in upper case hex": _invalid_account("0x" + "AB" * 20),
    "two ids are one": _collision,
    "account twice": _duplicate_account,
    "account NULL": _nameless_account,
    "more than 2**256": _overflow,
}
"""What no entry can correct."""
