"""Consecutive plain movements that every rule lets pass, decided in one tight loop.

Nearly all of a large run is of that kind, and a third of the time that the general path takes for
it is spent on what cannot apply: groups, holds, limits, kinds. This loop says yes or stops. What
it stops at is left to `Decisions.decide`, so that no refusal is written twice; what it makes is
the same to the byte (`tests/core/test_plain.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.addresses import entry_blind
from ledger.amounts import MAX_AMOUNT
from ledger.balances import NOTHING, BalanceState
from ledger.canonical import request_hash
from ledger.encoding import digest, entry_hash, metadata_hash
from ledger.errors import RefusedError
from ledger.hashing import keccak
from ledger.locked import HOUR
from ledger.model import ISSUER, ZERO_HASH, Hash32
from ledger.requests import Movement
from ledger.results import Entry, Receipt
from ledger.rules import KeyState
from ledger.unfrozen import quick

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.locked import Journal
    from ledger.model import Address
    from ledger.requests import Item
    from ledger.rules import Decisions

STRETCH: Final = 100
"""Items decided at once, before what they make is handed on."""

_NO_HASH: Final = bytes(ZERO_HASH)
_entry, _receipt = quick(Entry), quick(Receipt)


def decided(
    decisions: Decisions, items: Sequence[Item], times: Sequence[int] = ()
) -> Iterator[list[Receipt | RefusedError]]:
    """Decide on `items` in order; yield the results of some at a time, all of them in the end.

    `times` is when each happened, for an import. The state is whole only after the last.
    """
    plain = _Plain(decisions)
    position = 0
    while position < len(items):
        results: list[Receipt | RefusedError] = []
        if not times:
            results += plain.post(items[position : position + STRETCH])
        position += len(results)
        if len(results) < STRETCH:
            plain.settle()
            if position < len(items):
                at = times[position] if times else None
                results.append(decisions.decide(items[position], at))
                position += 1
        yield results
    plain.settle()


class _Side:
    """What one account has of the asset, changed in place."""

    __slots__ = ("address", "balance", "earned", "read", "spent", "staked", "word")

    def __init__(self, address: Address, read: BalanceState) -> None:
        self.address = address
        self.word = bytes(address)
        self.read = read
        self.balance, self.earned, self.spent, self.staked = read


class _Plain:
    """Plain movements of one asset after another, on the state that `Decisions` has."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._symbol = ""
        self._sides: dict[str, _Side] = {}
        """What has changed since `settle`, and is not known to `Decisions` yet."""

    def settle(self) -> None:
        """Tell `Decisions` what the accounts have now, before it decides itself."""
        decisions = self._decisions
        for account_id, side in self._sides.items():
            state = BalanceState(side.balance, side.earned, side.spent, side.staked)
            if state != side.read:
                place = (self._symbol, account_id)
                decisions.balances[place] = state
                decisions.touched[place] = None
        self._sides.clear()

    def _side(self, account_id: str) -> _Side | None:
        """Return what an account has; None if it is unknown or any special rule applies to it."""
        decisions, place = self._decisions, (self._symbol, account_id)
        address = decisions.addresses.get(account_id)
        if address is None or account_id == ISSUER:
            return None
        if account_id in decisions.statuses or place in decisions.limits:
            return None
        side = _Side(address, decisions.balances.get(place, NOTHING))
        self._sides[account_id] = side
        return side

    def _is_of_symbol(self, item: Item) -> bool:
        """Tell whether `item` is a movement; go on with its asset, if that is another."""
        if type(item) is not Movement:
            return False
        try:
            symbol = self._decisions.symbol(item.asset)
        except RefusedError:
            return False
        if symbol != self._symbol:
            self.settle()
            self._symbol = symbol
        return True

    def post(self, items: Sequence[Item]) -> list[Receipt]:
        """Post the first of `items`, as many as are plain and let pass; return their receipts."""
        if not items or not self._is_of_symbol(items[0]):
            return []
        decisions, symbol, trusted = self._decisions, self._symbol, Hash32.trusted
        journal = decisions.journals[symbol]
        names = {symbol, None} if decisions.default_asset == symbol else {symbol}
        domain, pepper = bytes(decisions.domain), bytes(decisions.pepper)
        asset, seq, head = bytes(journal.asset.id), journal.seq, journal.head
        sides, keys, new_keys = self._sides, decisions.keys, decisions.new_keys
        stamp = decisions.time()
        receipts: list[Receipt] = []
        for item in items:
            if type(item) is not Movement or item.kind or item.asset not in names:
                break
            from_account, to_account, amount = item.from_account, item.to_account, item.amount
            key = item.idempotency_key
            payer = sides.get(from_account) or self._side(from_account)
            payee = sides.get(to_account) or self._side(to_account)
            if payer is None or payee is None or payer is payee or not amount or key in keys:
                break
            spent, earned = payer.spent + amount, payee.earned + amount
            if amount > payer.balance - payer.staked or spent > MAX_AMOUNT or earned > MAX_AMOUNT:
                break
            payer.spent, payee.earned = spent, earned
            payer.balance -= amount
            payee.balance += amount
            seq += 1
            words = item.reason, item.reference_type, item.reference_id, item.memo, key
            blind = entry_blind(pepper, asset, seq)
            ref = metadata_hash(*words, _NO_HASH, item.kind, _NO_HASH, blind)
            struct = entry_hash(asset, seq, payer.word, payee.word, amount, stamp, ref)
            id_ = digest(domain, struct)
            head = keccak(head + id_)
            entry = _entry(
                symbol, seq, trusted(id_), trusted(head), stamp, from_account, to_account,
                payer.address, payee.address, amount, payer.balance, payee.balance, *words,
                ZERO_HASH, item.kind, ZERO_HASH, trusted(blind),
            )  # fmt: skip
            receipt = _receipt((entry,))
            receipts.append(receipt)
            if key:
                keys[key] = new_keys[key] = KeyState(request_hash(item, (symbol,)), receipt)
            stamp += 1
        if receipts:
            self._note(journal, seq, head, receipts)
        return receipts

    def _note(self, journal: Journal, seq: int, head: bytes, receipts: list[Receipt]) -> None:
        """Move the journal on to its new seq and head, and count what was transferred."""
        decisions, symbol = self._decisions, self._symbol
        entries = [receipt.entries[0] for receipt in receipts]
        decisions.new_entries += entries
        decisions.decided = True
        decisions.moved.add(symbol)
        decisions.last_time = journal.last_time = entries[-1].timestamp
        journal.seq, journal.head = seq, head
        journal.version += len(entries)
        for entry in entries:
            place = (symbol, entry.timestamp // HOUR)
            count, total = decisions.volume.get(place, (0, 0))
            decisions.volume[place] = (count + 1, total + entry.amount)
