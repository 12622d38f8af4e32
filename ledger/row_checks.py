"""Rows that continue their journal, followed in one tight loop.

Nearly all rows of a ledger are plain and right, and half of the time that the general check takes
for one is spent on making an `Entry` of it. This loop says yes or stops, with the state as it was
before the row at which it does. What it stops at is left to `JournalCheck.check`, so that no
finding is written twice; what it lets pass is what that lets pass
(`tests/core/test_row_checks.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger.addresses import entry_blind
from ledger.amounts import MAX_AMOUNT
from ledger.checks import UNREADABLE, Running
from ledger.encoding import digest, entry_hash, metadata_hash
from ledger.hashing import keccak
from ledger.locked import HOUR
from ledger.model import ISSUER, ZERO_ADDRESS, ZERO_HASH
from ledger.seal_checks import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ledger.checks import JournalCheck

ROW_COLUMNS: Final = (
    "seq", "id", "timestamp", "from_account", "to_account", "amount", "reason", "reference_type",
    "reference_id", "memo", "balance_after_from", "balance_after_to", "origin", "kind", "cause",
    "idempotency_key", "group_id", "head", "blind",
)  # fmt: skip
"""What a row is here: of `token_ledger`, as stored; amounts as `to_amount` takes them."""

_NO_HASH: Final = bytes(ZERO_HASH)


def usable(account_id: str, address: bytes) -> bool:
    """Tell whether an account has an address that `follow` may take for it."""
    size, zero = len(ZERO_ADDRESS), bytes(ZERO_ADDRESS)
    return len(address) == size and (address == zero) == (account_id == ISSUER)


def follow(  # noqa: C901, PLR0917 (a tight loop: one test for each column)
    check: JournalCheck,
    rows: Iterable[tuple[Any, ...]],
    addresses: Mapping[str, bytes],
    pepper: bytes | None,
    to_amount: Callable[[Any], int],
    stop: int = 0,
) -> Run:
    """Check `rows`, which follow what was checked, up to the first that is not plain and right.

    Returns those that are; `check` has moved on over them. The row with the seq `stop` is left to
    the caller, whatever it is. `addresses` has those of accounts that are `usable`.
    """
    domain, asset, no_hash = bytes(check.domain), bytes(check.asset.id), _NO_HASH
    sides, volume = check.sides, check.volume
    seq, head, last_time, open_group = check.seq, check.head, check.last_time, check.group
    run = Run(seq + 1)
    ids, heads, groups, records = run.ids, run.heads, run.groups, run.records
    try:
        for (
            stored_seq, id_, time, from_, to, stored, reason, reference_type, reference_id, memo,
            from_after, to_after, origin, kind, cause, key, in_group, stored_head, in_row,
        ) in rows:  # fmt: skip
            if stored_seq != seq + 1 or stored_seq == stop or from_ == to:
                break
            if kind or cause is not None or origin != "local":
                break
            group = no_hash if in_group is None else in_group
            blind = no_hash if in_row is None else in_row
            if in_row is None and pepper is not None:
                blind = entry_blind(pepper, asset, stored_seq)
            if len(blind) != len(no_hash) or len(group) != len(no_hash):
                break
            if time != last_time if group == open_group != no_hash else time <= last_time:
                break
            word, to_word, amount = addresses[from_], addresses[to], to_amount(stored)
            ref = metadata_hash(
                reason or "", reference_type or "", reference_id or "", memo or "", key or "",
                group, "", no_hash, blind,
            )  # fmt: skip
            struct = entry_hash(asset, stored_seq, word, to_word, amount, time, ref)
            made = digest(domain, struct)
            next_head = keccak(head + made)
            if made != id_ or next_head != stored_head:
                break
            payer, payee = sides.get(from_) or Running(), sides.get(to) or Running()
            both = to_amount(from_after), to_amount(to_after)
            if not _moved(payer, payee, amount, from_, to, both):
                break
            sides[from_], sides[to] = payer, payee
            if from_ != ISSUER != to:
                count, total = volume.get(time // HOUR, (0, 0))
                volume[time // HOUR] = count + 1, total + amount
            if group != open_group:
                check.seq, check.last_time = seq, last_time
                check.end_group()
                check.group, check.group_first = open_group, _ = group, stored_seq
            seq, head, last_time = stored_seq, next_head, time
            ids.append(made)
            heads.append(next_head)
            groups.append(group)
            records.append((word, to_word, amount))
    except UNREADABLE:
        pass
    check.seq, check.head, check.last_time = seq, head, last_time
    return run


def _moved(  # noqa: PLR0917 (called for every row)
    payer: Running, payee: Running, amount: int, from_: str, to: str, after: tuple[int, int]
) -> bool:
    """Move `amount` if that leaves both sides with `after`; tell whether it did."""
    minted, burned = from_ == ISSUER, to == ISSUER
    at_from = payer.balance + (amount if minted else -amount)
    at_to = payee.balance + (-amount if burned else amount)
    out = (payer.earned if minted else payer.spent) + amount
    into = (payee.spent if burned else payee.earned) + amount
    if after != (at_from, at_to) or at_from < 0 or at_to < 0:
        return False
    if at_from > MAX_AMOUNT or out > MAX_AMOUNT or into > MAX_AMOUNT:
        return False
    payer.balance, payee.balance = at_from, at_to
    if minted:
        payer.earned = out
    else:
        payer.spent = out
    if burned:
        payee.spent = into
    else:
        payee.earned = into
    return True
