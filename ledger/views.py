"""Results as programs and people read them: JSON with amounts as text, and lines."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from ledger.model import ISSUER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.results import Account, Asset, Balance, Entry, Sealed


def amount_json(asset: Asset, amount: int) -> dict[str, str]:
    """Return an amount as JSON has it: whole tokens and base units, both text."""
    return {"tokens": asset.format(amount), "base_units": str(amount)}


def asset_json(asset: Asset) -> dict[str, object]:
    """Return an asset as JSON has it."""
    return {
        "symbol": asset.symbol,
        "name": asset.name,
        "decimals": asset.decimals,
        "id": str(asset.id),
        "endowment": amount_json(asset, asset.endowment),
        "operator": None if asset.operator is None else str(asset.operator),
        "token_version": asset.token_version,
    }


def account_json(account: Account) -> dict[str, object]:
    """Return an account as JSON has it."""
    return {
        "account_id": account.account_id,
        "address": str(account.address),
        "derived": account.derived,
        "registrar": str(account.registrar),
        "created_at": str(account.created_at),
    }


def balance_json(asset: Asset, balance: Balance) -> dict[str, object]:
    """Return a balance as JSON has it."""
    return {
        "asset": asset.symbol,
        "account_id": balance.account_id,
        "address": str(balance.address),
        **{
            name: amount_json(asset, getattr(balance, name))
            for name in ("balance", "available", "total_earned", "total_spent", "total_staked")
        },
    }


def entry_json(asset: Asset, entry: Entry) -> dict[str, object]:
    """Return an entry as JSON has it."""
    return {
        "asset": entry.asset,
        "seq": entry.seq,
        "id": str(entry.id),
        "head": str(entry.head),
        "time": entry.time.isoformat(),
        "timestamp": str(entry.timestamp),
        "from_account": entry.from_account,
        "to_account": entry.to_account,
        "amount": amount_json(asset, entry.amount),
        "balance_after_from": amount_json(asset, entry.balance_after_from),
        "balance_after_to": amount_json(asset, entry.balance_after_to),
        "reason": entry.reason,
        "reference_type": entry.reference_type,
        "reference_id": entry.reference_id,
        "memo": entry.memo,
        "idempotency_key": entry.idempotency_key,
        "group": str(entry.group),
        "kind": str(entry.kind),
        "repeated": entry.repeated,
    }


def sealed_json(sealed: Sealed) -> dict[str, object]:
    """Return a seal as JSON has it."""
    return {
        "number": sealed.seal.number,
        "id": str(sealed.id),
        "prev_seal": str(sealed.seal.prev_seal),
        "timestamp": str(sealed.seal.timestamp),
        "batches": [
            {
                "asset": batch.symbol,
                "number": batch.batch.number,
                "id": str(batch.id),
                "first_seq": batch.batch.first_seq,
                "last_seq": batch.batch.last_seq,
                "new_head": str(batch.batch.new_head),
                "tree_root": str(batch.batch.tree_root),
                "payload_hash": str(batch.batch.payload_hash),
            }
            for batch in sealed.batches
        ],
    }


def one_line(text: str) -> str:
    """Return `text` with everything that a terminal would act on as an escape."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in {"W", "F"} for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return `cells` in columns of `widths`."""
    pairs = zip(cells, widths, strict=True)
    return "  ".join(cell + " " * (width - columns(cell)) for cell, width in pairs).rstrip()


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return "1 batch", "2 batches": `many` where it is not `one` and an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def asset_line(asset: Asset) -> str:
    """Return an asset for people, in one line."""
    decimals = counted(asset.decimals, "decimal")
    return f"asset {one_line(asset.symbol)}, {decimals}, id {asset.id}"


def kind_of(account: Account) -> str:
    """Return where an account's address comes from, in a word."""
    if account.account_id == ISSUER:
        return "issuer"
    return "derived" if account.derived else "given"


def entry_line(asset: Asset, entry: Entry) -> str:
    """Return an entry for people, in one line."""
    again = " (already posted with this key)" if entry.repeated else ""
    return one_line(
        f"{asset.format(entry.amount)} {asset.symbol}  {entry.from_account} -> {entry.to_account}"
        f"  seq {entry.seq}  id {entry.id}{again}"
    )


def posted_line(entry: Entry) -> str:
    """Return what posting `entry` has changed, without the amounts."""
    return f"{'already ' if entry.repeated else ''}posted: seq {entry.seq} id {entry.id}"


def statement_row(asset: Asset, own: str, entry: Entry) -> tuple[str, ...]:
    """Return a line of a statement, seen from the account `own`."""
    is_debit = entry.from_account == own
    to_self = is_debit and entry.to_account == own
    sign = "" if to_self else "-" if is_debit else "+"
    after = entry.balance_after_from if is_debit else entry.balance_after_to
    return (
        entry.time.isoformat(timespec="seconds"),
        str(entry.seq),
        f"{sign}{asset.format(entry.amount)}",
        asset.format(after),
        entry.to_account if is_debit else entry.from_account,
        entry.reason,
    )


def seal_line(sealed: Sealed) -> str:
    """Return a seal for people, in one line."""
    entries = counted(sum(batch.batch.size for batch in sealed.batches), "entry", "entries")
    batches = counted(len(sealed.batches), "batch", "batches")
    return f"seal {sealed.seal.number}  {sealed.id}  {entries} in {batches}"
