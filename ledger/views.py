"""Results as programs and people read them: JSON with amounts as text, and lines."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, TypeGuard

from ledger.measures import format_ratio
from ledger.model import ISSUER, HoldState
from ledger.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from ledger.changes import Change
    from ledger.links import Link
    from ledger.measures import Distribution, Supply, Velocity
    from ledger.results import Account, Asset, Balance, Entry, Hold, Sealed, SealedBatch

_AMOUNTS: Final = ("amount", "remaining", "max_debit", "max_balance")
"""Details of events that are amounts."""


TOTALS: Final = ("minted", "burned", "earned", "spent", "staked")
"""Totals of an asset besides the supply."""


def amount_json(asset: Asset, amount: int) -> dict[str, str]:
    """Return an amount as JSON has it: whole tokens and base units, both text."""
    return {"tokens": asset.format(amount), "base_units": str(amount)}


def sum_json(asset: Asset, total: int) -> dict[str, str]:
    """Return a sum of amounts as JSON has it; unlike an amount it may pass 2**256 - 1."""
    return {"tokens": sum_text(asset, total), "base_units": str(total)}


def sum_text(asset: Asset, total: int) -> str:
    """Return a sum of amounts as whole tokens, exactly."""
    whole, rest = divmod(total, 10**asset.decimals)
    fraction = str(rest).rjust(asset.decimals, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


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
        "status": str(account.status),
        "link": None if account.link is None else link_json(account.link),
    }


def link_json(link: Link) -> dict[str, object]:
    """Return the proof of a real address as JSON has it."""
    return {
        "scheme": str(link.scheme),
        "chain_id": link.chain_id,
        "signature": None if link.signature is None else "0x" + link.signature.hex(),
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
        "max_debit": limit_json(asset, balance.max_debit),
        "max_balance": limit_json(asset, balance.max_balance),
    }


def limit_json(asset: Asset, amount: int | None) -> dict[str, str] | None:
    """Return a limit as JSON has it: null for any amount."""
    return None if amount is None else amount_json(asset, amount)


def hold_json(asset: Asset, hold: Hold) -> dict[str, object]:
    """Return a hold as JSON has it."""
    return {
        "asset": hold.asset,
        "number": hold.number,
        "id": str(hold.id),
        "state": str(hold.state),
        "account_id": hold.account_id,
        "to_account": hold.to_account,
        "amount": amount_json(asset, hold.amount),
        "remaining": amount_json(asset, hold.remaining),
        "created_at": time_text(hold.created_at),
        "updated_at": time_text(hold.updated_at),
        "expires_at": None if hold.expires_at is None else time_text(hold.expires_at),
        "reason": hold.reason,
        "reference_type": hold.reference_type,
        "reference_id": hold.reference_id,
        "memo": hold.memo,
        "idempotency_key": hold.idempotency_key,
    }


def change_json(asset: Asset | None, change: Change) -> dict[str, object]:
    """Return a change as JSON has it; without an asset it is of an account."""
    details = {
        name: amount_json(asset, value) if asset and _is_amount(value, name) else value
        for name, value in change.details.items()
    }
    return {
        "type": str(change.type),
        "asset": change.asset or None,
        "number": change.number or None,
        "time": time_text(change.timestamp),
        "timestamp": str(change.timestamp),
        "account_id": change.account_id or None,
        "hold": None if change.hold is None else str(change.hold),
        "details": details,
        "entry": entry_json(asset, change.entry) if asset and change.entry else None,
        "cursor": change.cursor,
    }


def change_row(asset: Asset | None, change: Change) -> tuple[str, ...]:
    """Return a line of a list of changes."""
    return (
        _seconds(change.timestamp),
        change.asset or "-",
        change.type.replace("_", " "),
        change.account_id or "-",
        entry_line(asset, change.entry) if asset and change.entry else _details(asset, change),
    )


def _details(asset: Asset | None, change: Change) -> str:
    """Return the details of an event for people."""
    said = [] if change.hold is None else [f"hold {change.hold}"]
    for name, value in change.details.items():
        shown = asset.format(value) if asset and _is_amount(value, name) else value
        said.append(f"{name.replace('_', ' ')} {'any' if shown is None else shown}")
    return ", ".join(said)


def _is_amount(value: object, name: str) -> TypeGuard[int]:
    """Tell whether `value`, a detail of an event under `name`, is an amount in base units."""
    return name in _AMOUNTS and isinstance(value, int)


def time_text(timestamp: int) -> str:
    """Return an instant, in microseconds, as ISO 8601 in UTC."""
    return moment_of(timestamp).isoformat()


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
        "cause": str(entry.cause),
        "repeated": entry.repeated,
    }


def sealed_json(sealed: Sealed) -> dict[str, object]:
    """Return a seal as JSON has it."""
    return {
        "number": sealed.seal.number,
        "id": str(sealed.id),
        "prev_seal": str(sealed.seal.prev_seal),
        "timestamp": str(sealed.seal.timestamp),
        "batches": [batch_json(batch) for batch in sealed.batches],
    }


def batch_json(batch: SealedBatch) -> dict[str, object]:
    """Return a batch as JSON has it."""
    return {
        "asset": batch.symbol,
        "number": batch.batch.number,
        "id": str(batch.id),
        "first_seq": batch.batch.first_seq,
        "last_seq": batch.batch.last_seq,
        "new_head": str(batch.batch.new_head),
        "tree_root": str(batch.batch.tree_root),
        "payload_hash": str(batch.batch.payload_hash),
    }


def figures_json(
    asset: Asset,
    totals: Supply,
    spread: Distribution,
    velocity: Velocity | None,
    window: str | None,
) -> dict[str, object]:
    """Return all figures as JSON has them: ratios are text, as amounts are."""
    return {
        "asset": asset.symbol,
        "total_supply": amount_json(asset, totals.total),
        **{name: sum_json(asset, getattr(totals, name)) for name in TOTALS},
        "holders": totals.holders,
        "gini": ratio_text(spread.gini),
        "top": [
            {
                "account_id": balance.account_id,
                "balance": amount_json(asset, balance.balance),
                "share": format_ratio(spread.share(balance)),
            }
            for balance in spread.top
        ],
        "velocity": None
        if velocity is None
        else {
            "window": window,
            "transfers": velocity.entries,
            "amount": sum_json(asset, velocity.amount),
            "ratio": ratio_text(velocity.ratio),
        },
    }


def ratio_text(ratio: Fraction | None) -> str | None:
    """Return a ratio as text; None where there is none."""
    return None if ratio is None else format_ratio(ratio)


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


def spanned(first: int, last: int) -> str:
    """Return "entry 5", or "entries 5 to 7"."""
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def asset_line(asset: Asset) -> str:
    """Return an asset for people, in one line."""
    decimals = counted(asset.decimals, "decimal")
    return f"asset {one_line(asset.symbol)}, {decimals}, id {asset.id}"


def kind_of(account: Account) -> str:
    """Return where an account's address comes from, in a word."""
    if account.account_id == ISSUER:
        return "issuer"
    return "derived" if account.derived else "given"


def entry_line(asset: Asset, entry: Entry, *, dry_run: bool = False) -> str:
    """Return an entry for people, in one line; one that is not really posted has no id yet."""
    moved = (
        f"{asset.format(entry.amount)} {asset.symbol}  {entry.from_account} -> {entry.to_account}"
        f"  seq {entry.seq}"
    )
    if entry.repeated:
        return one_line(f"{moved}  id {entry.id} (already posted with this key)")
    return one_line(moved if dry_run else f"{moved}  id {entry.id}")


def hold_line(asset: Asset, hold: Hold) -> str:
    """Return a hold for people, in one line."""
    to = f" for {hold.to_account}" if hold.to_account else ""
    if hold.state != HoldState.PENDING:
        amount = asset.format(hold.amount)
        return one_line(f"{amount} {asset.symbol} of {hold.account_id} held{to}: {hold.state}")
    until = "" if hold.expires_at is None else f" until {_seconds(hold.expires_at)}"
    amount = asset.format(hold.remaining)
    return one_line(f"{amount} {asset.symbol} of {hold.account_id} held{to}{until}")


def hold_row(asset: Asset, hold: Hold) -> tuple[str, ...]:
    """Return a line of a list of holds."""
    return (
        _seconds(hold.created_at),
        asset.symbol,
        hold.account_id,
        hold.to_account or "-",
        asset.format(hold.amount),
        asset.format(hold.remaining),
        str(hold.state),
        "never" if hold.expires_at is None else _seconds(hold.expires_at),
        str(hold.id),
    )


def _seconds(timestamp: int) -> str:
    """Return an instant for people, to the second."""
    return moment_of(timestamp).isoformat(timespec="seconds")


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
