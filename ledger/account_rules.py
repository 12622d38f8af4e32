"""Accounts: opened at an address for good, frozen, closed, opened again, limited. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.addresses import (
    account_blind,
    account_key,
    account_salt,
    address_in_id,
    check_linkable,
    create2_address,
)
from ledger.balances import NOTHING
from ledger.errors import FieldError, RefusedError, Rule
from ledger.formats import ACCOUNT_INIT_CODE_HASH, FACTORY
from ledger.links import check_link
from ledger.locked import ACCOUNTS
from ledger.model import ISSUER, ZERO_HASH, Address, Hash32, Status
from ledger.requests import Movement
from ledger.results import Account, Limits, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.locked import Locked
    from ledger.requests import OpenAccount, SetLimits, SetStatus
    from ledger.results import Entry

TRANSITIONS: Final = {
    (Status.OPEN, Status.FROZEN): "account_frozen",
    (Status.OPEN, Status.CLOSED): "account_closed",
    (Status.FROZEN, Status.CLOSED): "account_closed",
    (Status.FROZEN, Status.OPEN): "account_reopened",
    (Status.CLOSED, Status.OPEN): "account_reopened",
}
"""From which status to which an account may go, and the event. Every other pair is refused."""

_ALREADY: Final = {
    Status.OPEN: Rule.ACCOUNT_OPEN,
    Status.FROZEN: Rule.ACCOUNT_FROZEN,
    Status.CLOSED: Rule.ACCOUNT_CLOSED,
}
"""Why an unlisted pair is refused: the status that the account has."""


# --- opening ---------------------------------------------------------------------------------


def open_account(locked: Locked, item: OpenAccount, at: int | None) -> Receipt:
    """Create the account and endow it. Raises ACCOUNT_EXISTS, ADDRESS_TAKEN, LINK_INVALID, ..."""
    symbols = [locked.symbol(m.asset) for m in endowments(item)]
    if item.account_id in locked.addresses:
        raise RefusedError(Rule.ACCOUNT_EXISTS, f"account {item.account_id!r} exists")
    account = account_for(item, locked.ledger_id, locked.pepper, locked.registrar, locked.time(at))
    if bytes(account.address) in locked.taken:
        raise RefusedError(Rule.ADDRESS_TAKEN, f"{account.address} belongs to another account")
    locked.addresses[item.account_id] = account.address
    try:
        entries = _endow(locked, item, symbols, at)
    except RefusedError:
        del locked.addresses[item.account_id]
        raise
    locked.taken.add(bytes(account.address))
    locked.accounts[account.account_id] = account
    locked.new_accounts.append(account)
    locked.event(ACCOUNTS, "account_created", account.account_id, at=account.created_at)
    return Receipt(entries, account)


def _endow(
    locked: Locked, item: OpenAccount, symbols: Sequence[str], at: int | None
) -> tuple[Entry, ...]:
    """Mint the initial balance, if there is any."""
    if not symbols:
        return ()
    amount = item.initial_balance
    if amount is None:
        amount = locked.journals[symbols[0]].asset.endowment
    if amount == 0:
        return ()
    return locked.post([endowment(item.account_id, amount, symbols[0])], symbols, "", at)


def endowment(account_id: str, amount: int, asset: str | None) -> Movement:
    """Return the mint that a new account begins with."""
    return Movement(ISSUER, account_id, amount, asset, reason="endowment")


def endowments(item: OpenAccount) -> Sequence[Movement]:
    """Return the endowment that `item` asks for, of 1 where the asset says how much; or none."""
    if item.initial_balance == 0:
        return ()
    return (endowment(item.account_id, item.initial_balance or 1, item.asset),)


def account_for(
    item: OpenAccount,
    ledger_id: Hash32,
    pepper: Hash32,
    registrar: Address,
    created_at: int,
) -> Account:
    """Return the account that `item` opens, if its address, where it has its own, is proved.

    Raises:
        FieldError: no account may have that address, or the id is another one.
        RefusedError: LINK_INVALID.
    """
    if item.address is None or item.link is None:
        return new_account(item.account_id, ledger_id, pepper, registrar, created_at)
    if address_in_id(item.account_id) is not None:
        raise FieldError("address", "the account id is an address itself; leave the other out")
    check_linkable(item.address, frozenset({FACTORY}))
    link = check_link(ledger_id, item.account_id, item.address, item.link)
    return Account(
        item.account_id,
        item.address,
        account_blind(pepper, item.account_id),
        registrar,
        derived=False,
        created_at=created_at,
        link=link,
    )


def new_account(
    account_id: str, ledger_id: Hash32, pepper: Hash32, registrar: Address, created_at: int
) -> Account:
    """Return the account that `account_id` becomes: its id's own address, or a derived one.

    Raises:
        FieldError: the id is an address that no account may have.
    """
    own = address_in_id(account_id)
    if own is not None:
        check_linkable(own, frozenset({FACTORY}))
        return Account(account_id, own, ZERO_HASH, registrar, derived=False, created_at=created_at)
    blind = account_blind(pepper, account_id)
    return Account(
        account_id,
        derived_address(ledger_id, account_key(blind, account_id), registrar),
        blind,
        registrar,
        derived=True,
        created_at=created_at,
    )


def derived_address(ledger_id: bytes, key: bytes, registrar: bytes) -> Address:
    """Return where CREATE2 puts the account of (ledger, key, registrar), on every EVM chain."""
    return create2_address(FACTORY, account_salt(ledger_id, key, registrar), ACCOUNT_INIT_CODE_HASH)


# --- status and limits -----------------------------------------------------------------------


def set_status(locked: Locked, item: SetStatus) -> Receipt:
    """Freeze, close or reopen. Raises UNKNOWN_ACCOUNT, ACCOUNT_*; every asset is locked."""
    locked.known(item.account_id)
    now = locked.statuses.get(item.account_id, Status.OPEN)
    event = TRANSITIONS.get((now, item.status))
    if event is None:
        raise RefusedError(_ALREADY[now], f"account {item.account_id!r} is {now}")
    if item.status == Status.CLOSED:
        _check_empty(locked, item.account_id)
    account = locked.put_status(item.account_id, item.status)
    locked.event(ACCOUNTS, event, item.account_id)
    for symbol, journal in locked.journals.items():
        if symbol != ACCOUNTS:  # whoever remembers the account must read it again
            journal.version += 1
            locked.moved.add(symbol)
    return Receipt(account=account)


def _check_empty(locked: Locked, account_id: str) -> None:
    """Refuse to close an account that has something. Raises ACCOUNT_NOT_EMPTY."""
    for symbol in locked.journals:
        balance = locked.balances.get((symbol, account_id), NOTHING).balance
        if balance:
            raise RefusedError(
                Rule.ACCOUNT_NOT_EMPTY,
                f"{account_id!r} has {balance} base units of {symbol}; move them first",
            )


def set_limits(locked: Locked, item: SetLimits) -> Receipt:
    """Set the limits of an account in an asset. Raises UNKNOWN_ACCOUNT, ACCOUNT_CLOSED.

    A limit below what the account has is allowed: it refuses what comes next.
    """
    symbol = locked.symbol(item.asset)
    locked.known(item.account_id)
    if locked.statuses.get(item.account_id) == Status.CLOSED:
        raise RefusedError(
            Rule.ACCOUNT_CLOSED, f"account {item.account_id!r} is closed; reopen it first"
        )
    place, limits = (symbol, item.account_id), Limits(item.max_debit, item.max_balance)
    if locked.limits.get(place, Limits()) != limits:
        locked.limits[place] = locked.changed_limits[place] = limits
        locked.touched[place] = None
        locked.balances.setdefault(place, NOTHING)
        locked.event(
            symbol,
            "limits_changed",
            item.account_id,
            max_debit=_text(limits.max_debit),
            max_balance=_text(limits.max_balance),
        )
    return Receipt(limits=limits)


def _text(limit: int | None) -> str | None:
    """Return a limit as it is written in an event: decimal text, for readers without big ints."""
    return None if limit is None else str(limit)
