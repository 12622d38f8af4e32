"""The plan of an import: which entries an old ledger becomes, and what in it does not add up.

Values only. Everything is decided here, before anything is written: the entries in order of time,
and the corrections that make the balances what was stored, should the defects be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from ledger.amounts import MAX_AMOUNT
from ledger.balances import NOTHING, BalanceState, credited, debited, issued, returned
from ledger.errors import RefusedError
from ledger.legacy_history import Histories
from ledger.legacy_model import (
    ACCOUNTS,
    ENTRIES,
    Defect,
    DefectKind,
    Opening,
    Plan,
    Posting,
)
from ledger.legacy_rows import RowReader, shown
from ledger.model import ISSUER
from ledger.requests import Movement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.legacy_model import OldMovement, OldTables, StoredAccount, Target

CORRECTION: Final = "import:correction"
"""The reason of every entry that no row of the old table asks for."""

_Place = tuple[str, int, str]
"""Table, row, and how the row calls itself."""

_EXACT: Final = Context(prec=1_200)
"""Digits enough for the sum of any doubles, from 5e-324 to 1.8e308: nothing is ever rounded."""


def make_plan(tables: OldTables, target: Target) -> Plan:
    """Return what an import of `tables` into `target` would do.

    The same tables and target give the same plan, so that an interrupted import can go on.
    """
    with localcontext(_EXACT):
        reader = RowReader(target)
        read = [reader.entry(old) for old in tables.entries]
        movements = sorted((it for it in read if it is not None), key=attrgetter("time", "row"))
        stored = _stored(reader, tables)
        histories = Histories(tables.bits, reader.defects)
        booking = _Booking(target, histories, stored)
        for movement in movements:
            histories.take(movement)
            booking.take(movement)
        for account_id in sorted({*stored, *histories.accounts}):
            booking.close(account_id)
        issuer = booking.states.get(ISSUER, NOTHING)
        return Plan(
            rows=len(tables.entries),
            accounts=len(tables.accounts),
            openings=tuple(_openings(stored, histories, booking.last or target.now)),
            postings=tuple(booking.postings),
            defects=tuple(sorted(reader.defects, key=_order)),
            roundings=tuple(histories.roundings),
            rounded_after=histories.rounded_after,
            moved=booking.moved,
            left_out=len(read) - booking.taken,
            stored=sum((it.balance or Decimal(0) for it in stored.values()), Decimal(0)),
            minted=issuer.earned,
            burned=issuer.spent,
        )


def _stored(reader: RowReader, tables: OldTables) -> dict[str, StoredAccount]:
    """Return what the table of accounts says, by account."""
    stored: dict[str, StoredAccount] = {}
    for old in tables.accounts:
        account = reader.account(old)
        if account is None:
            continue
        if account.account_id in stored:
            message = f"row {stored[account.account_id].row} is of the same account"
            place = (ACCOUNTS, account.row, account.account_id, "account_id")
            reader.defects.append(Defect(DefectKind.DUPLICATE_ACCOUNT, *place, message, ""))
        stored.setdefault(account.account_id, account)
    return stored


def _openings(
    stored: dict[str, StoredAccount], histories: Histories, last: int
) -> Iterable[Opening]:
    """Return the accounts to create, in order of time."""
    times = {account_id: it.first_time for account_id, it in histories.accounts.items()}
    for account_id, account in stored.items():
        if account.created_at is not None:
            times[account_id] = account.created_at
        times.setdefault(account_id, last)
    return sorted(Opening(at, account_id) for account_id, at in times.items())


def _order(defect: Defect) -> tuple[bool, int]:
    """Return where a defect is, entries first."""
    return defect.table != ENTRIES, defect.row


@dataclass(slots=True)
class _Booking:
    """Books the movements as the ledger will, in base units, and adds what they lack."""

    target: Target
    histories: Histories
    stored: dict[str, StoredAccount]
    states: dict[str, BalanceState] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)
    last: int = 0
    taken: int = 0
    """Movements booked."""
    moved: int = 0
    _corrections: int = 0
    _unknown: set[str] = field(default_factory=set)

    def take(self, movement: OldMovement) -> None:
        """Book a movement, after a mint of what its payer lacks."""
        for column in ("from_account", "to_account"):
            self._check_known(movement, column, getattr(movement, column))
        if movement.units == 0:
            return
        payer = movement.from_account
        short = movement.units - self.states.get(payer, NOTHING).balance
        if payer != ISSUER and short > 0:
            self._lend(movement, short)
        at = max(self.last + 1, movement.time)
        self.taken += 1
        self.moved += at != movement.time
        booked = Movement(
            payer,
            movement.to_account,
            movement.units,
            self.target.symbol,
            movement.reason,
            movement.reference_type,
            movement.reference_id,
            movement.memo,
            movement.key,
        )
        self._book(Posting(at, booked), (ENTRIES, movement.row, movement.name))

    def _check_known(self, movement: OldMovement, column: str, account_id: str) -> None:
        """Report an account that only entries know, once."""
        if account_id == ISSUER or account_id in self.stored or account_id in self._unknown:
            return
        self._unknown.add(account_id)
        self._report(
            DefectKind.UNKNOWN_ACCOUNT,
            (ENTRIES, movement.row, movement.name),
            column,
            f"{account_id} is not in {ACCOUNTS}",
            "creates it",
        )

    def _lend(self, movement: OldMovement, short: int) -> None:
        """Mint what the payer lacks just before the movement, which keeps its time if it can."""
        payer, place = movement.from_account, (ENTRIES, movement.row, movement.name)
        message = f"{payer} is short by {self._tokens(short)}"
        # Where the exact history is not negative, cut decimals are missing: they are reported.
        if self.histories.accounts[payer].has.value < 0:
            accepted = f"mints {self._tokens(short)} to it just before"
            self._report(DefectKind.NEGATIVE_MOMENT, place, "amount", message, accepted)
        at = max(self.last + 1, movement.time - 1)
        self._correct(at, payer, short, place, message)

    def close(self, account_id: str) -> None:
        """Compare an account with what was stored, and book what makes its balance that."""
        account, history = self.stored.get(account_id), self.histories.accounts.get(account_id)
        exact = Decimal(0) if history is None else history.has.value
        balance = self.states.get(account_id, NOTHING).balance
        if account is not None:
            target = exact if account.balance is None else account.balance
            kept = f"makes it {self._tokens(self._units(target))}"
            accepted = self.histories.balance_of(account, kept)
            exact = exact if accepted is None else accepted
        missing = self._units(exact) - balance
        if missing == 0:
            return
        place = (ACCOUNTS, 0 if account is None else account.row, account_id)
        message = f"booked {self._tokens(balance)}, must be {self._tokens(balance + missing)}"
        self._correct(self.last + 1, account_id, missing, place, message)

    def _correct(self, at: int, account_id: str, units: int, place: _Place, memo: str) -> None:
        """Mint (or burn, if negative) what no row asks for, referring to the one that needs it."""
        if abs(units) > MAX_AMOUNT:
            self._report(DefectKind.TOTAL_OVERFLOW, place, "balance", "passes 2**256 - 1", "")
            return
        self._corrections += 1
        key = self.target.own_key(f"correction:{self._corrections}")
        payer, payee = (ISSUER, account_id) if units > 0 else (account_id, ISSUER)
        table, _, name = place
        movement = Movement(
            payer, payee, abs(units), self.target.symbol, CORRECTION, table, name, memo, key
        )
        self._book(Posting(at, movement, is_correction=True), place)

    def _book(self, posting: Posting, place: _Place) -> None:
        """Book an entry by the ledger's own rules, or report that no ledger can hold it."""
        movement = posting.movement
        payer, payee, amount = movement.from_account, movement.to_account, movement.amount
        before_payer = self.states.get(payer, NOTHING)
        before_payee = self.states.get(payee, NOTHING)
        try:
            after_payer = (
                issued(before_payer, amount)
                if payer == ISSUER
                else debited(before_payer, amount, payer)
            )
            after_payee = (
                returned(before_payee, amount)
                if payee == ISSUER
                else credited(before_payee, amount, payee)
            )
        except RefusedError as refusal:
            self._report(DefectKind.TOTAL_OVERFLOW, place, "amount", refusal.message, "")
            return
        self.states[payer], self.states[payee] = after_payer, after_payee
        self.postings.append(posting)
        self.last = posting.at

    def _report(
        self, kind: DefectKind, place: _Place, column: str, text: str, accepted: str
    ) -> None:
        """Report a defect."""
        self.histories.defects.append(Defect(kind, *place, column, text, accepted))

    def _units(self, tokens: Decimal) -> int:
        """Return the base units that an account can hold of `tokens`: cut, and never negative."""
        return max(0, int(tokens.scaleb(self.target.decimals)))

    def _tokens(self, units: int) -> str:
        """Return base units for people."""
        return shown(Decimal(units).scaleb(-self.target.decimals))
