"""Levels 2 and 3: every stored balance, and the supply, against the chain's."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from bridge.compare import Mismatch, MismatchKind
from bridge.progress import Progress
from bridge.tokens import BALANCES_A_CALL
from ledger.errors import BusyError
from ledger.model import ISSUER

if TYPE_CHECKING:
    from bridge.tokens import Token
    from bridge.verify_logs import Logs
    from bridge.verify_work import Work
    from ledger.model import Address
    from ledger.results import Balance

_TRIES: Final = 20


class Balances:
    """Stored balances of one asset, less what is not replayed, against the chain's."""

    def __init__(self, work: Work, token: Token, logs: Logs) -> None:
        self._work = work
        self._ledger = work.ledger
        self._token = token
        self._symbol = token.asset.symbol
        self._live = logs.live
        self._known: set[Address] = set()
        """The addresses whose balances are compared, if the logs are compared with them."""
        self._tail: Counter[str] = Counter()
        self._tail_end = logs.followed
        self._add_tail(logs.last)

    def check(self) -> int:
        """Compare every balance and the supply; return how many balances."""
        count = 0
        balances = self._ledger.balances(self._symbol)
        while chunk := list(islice(balances, BALANCES_A_CALL)):
            addresses = [balance.address for balance in chunk]
            work = self._work
            found = work.state.balances(self._token.address, addresses)
            for balance, on_chain in zip(chunk, found, strict=True):
                self._compare(balance, on_chain)
            count += len(chunk)
            work.progress(Progress(f"{self._symbol} balances", count, work.accounts))
        if self._live.is_proving:
            self._live.check_others(self._known)
        self._compare_supply()
        return count

    def _compare(self, balance: Balance, on_chain: int) -> None:
        """Compare the balance of one account."""
        id_ = balance.account_id
        moved = self._live.moved[balance.address]
        if self._live.is_proving:
            self._known.add(balance.address)
            self._live.check_balance(balance.address, on_chain, f"account {id_}")
        if balance.balance - self._tail[id_] + moved == on_chain:
            return
        work, address = self._work, balance.address
        if address in work.doubted:
            true = [work.doubted[address]]
            on_chain = next(work.state.balances(self._token.address, true))
        expected = self._settled(id_) + moved
        if expected != on_chain:
            kind, found = MismatchKind.BALANCE_DIFFERS, str(on_chain)
            self._work.report(Mismatch(kind, self._symbol, str(expected), found, account_id=id_))

    def _compare_supply(self) -> None:
        """Compare the total supply, which is what the issuer's account says."""
        # The issuer's balance is the supply: it rises when the issuer is debited.
        expected = self._settled(ISSUER)
        if expected != self._token.total_supply:
            kind, found = MismatchKind.SUPPLY_DIFFERS, str(self._token.total_supply)
            self._work.report(Mismatch(kind, self._symbol, str(expected), found))

    def _settled(self, account_id: str) -> int:
        """Return the balance before the tail, read while nothing was posted in between."""
        for _ in range(_TRIES):
            self._add_tail(self._ledger.head(self._symbol).seq)
            balance = self._ledger.balance(account_id, self._symbol).balance
            if self._ledger.head(self._symbol).seq == self._tail_end:
                tail = self._tail[account_id]
                return balance + tail if account_id == ISSUER else balance - tail
        raise BusyError(f"{self._symbol}: entries are posted too fast to verify: try again later")

    def _add_tail(self, last: int) -> None:
        """Add up what the entries that are not on the chain move, up to `last`."""
        for entry in self._ledger.entries(self._symbol, self._tail_end + 1, last):
            self._tail[entry.from_account] -= entry.amount
            self._tail[entry.to_account] += entry.amount
        self._tail_end = max(self._tail_end, last)
