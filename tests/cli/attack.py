"""What somebody who owns the database can do so that nothing inside it tells."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.ledger.support import attacker

if TYPE_CHECKING:
    from tests.ledger.support import Raw

HOUR = 3_600_000_000
"""Microseconds."""


def cut_tail(url: str, symbol: str, keep: int) -> None:
    """Remove the entries of an asset after `keep`, and make everything else follow from the rest.

    Head, balances and supply become those of the shorter journal; seals that had any of the tail
    are undone, as if they had never been made.
    """
    with attacker(url) as database:
        [(asset,)] = database.run("SELECT asset FROM token_assets WHERE symbol = ?", symbol)
        _undo_seals(database, asset, keep)
        database.run("DELETE FROM token_ledger WHERE asset = ? AND seq > ?", asset, keep)
        [(head, time)] = database.run(
            "SELECT head, timestamp FROM token_ledger WHERE asset = ? AND seq = ?", asset, keep
        )
        database.run(
            "UPDATE token_journals SET seq = ?, head = ?, last_time = ? WHERE asset = ?",
            keep, head, time, asset,
        )  # fmt: skip
        _write_balances(database, asset)
        _write_volume(database, asset)


def _undo_seals(database: Raw, asset: int, keep: int) -> None:
    [(first,)] = database.run(
        "SELECT min(seal) FROM token_batches WHERE asset = ? AND last_seq > ?", asset, keep
    )
    if first is not None:
        database.run("DELETE FROM token_batches WHERE seal >= ?", first)
        database.run("DELETE FROM token_seals WHERE number >= ?", first)
        database.run("UPDATE token_settings SET sealed = ?", first - 1)


def _write_volume(database: Raw, asset: int) -> None:
    moved: defaultdict[int, list[int]] = defaultdict(list)
    for payer, payee, amount, time in database.run(
        "SELECT from_account, to_account, amount, timestamp FROM token_ledger WHERE asset = ?",
        asset,
    ):
        if "system" not in {payer, payee}:
            moved[time // HOUR].append(int.from_bytes(amount, "big"))
    database.run("DELETE FROM token_volume WHERE asset = ?", asset)
    for hour, amounts in moved.items():
        database.run(
            "INSERT INTO token_volume (asset, hour, entries, amount) VALUES (?, ?, ?, ?)",
            asset, hour, len(amounts), str(sum(amounts)),
        )  # fmt: skip


def _write_balances(database: Raw, asset: int) -> None:
    earned: defaultdict[str, int] = defaultdict(int)
    spent: defaultdict[str, int] = defaultdict(int)
    for payer, payee, amount in database.run(
        "SELECT from_account, to_account, amount FROM token_ledger WHERE asset = ?", asset
    ):
        spent[payer] += int.from_bytes(amount, "big")
        earned[payee] += int.from_bytes(amount, "big")
    spent["system"], earned["system"] = earned["system"], spent["system"]
    for (account,) in database.run("SELECT account_id FROM token_balances WHERE asset = ?", asset):
        numbers = (earned[account] - spent[account], earned[account], spent[account])
        database.run(
            "UPDATE token_balances SET balance = ?, total_earned = ?, total_spent = ? "
            "WHERE asset = ? AND account_id = ?",
            *map(database.amount, numbers), asset, account,
        )  # fmt: skip
