"""Whether a chain and a ledger agree: every log, every head, every balance, in one block.

The contract's history is recomputed from the chain's own logs, the ledger's heads from its own
rows, and then the two are compared: so an altered row is told from an altered chain, and named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from bridge.compare import (
    HistoryChain,
    JournalChain,
    Mismatch,
    MismatchKind,
    altered_entry,
    compare_batch,
    compare_ends,
    foreign_record,
    with_addresses,
)
from bridge.errors import BridgeError, NoContractError
from bridge.progress import Progress, ReportProgress, ignore
from bridge.tokens import (
    BALANCES_A_CALL,
    ReplayedBatch,
    Token,
    read_balances,
    read_batches,
    read_replayed,
    read_token,
)
from ledger.checks import FoundError, check_account
from ledger.errors import BusyError
from ledger.model import ISSUER, Address, Hash32

if TYPE_CHECKING:
    from bridge.chain import Block, Chain
    from bridge.codec import BatchReplayed
    from ledger import Ledger
    from ledger.results import Asset, Balance, Entry

LEVELS: Final = (1, 2)
"""1: logs and history. 2: also every balance, and the total supply."""

_TRIES: Final = 20
_LOOK_AHEAD: Final = 64
"""Entries after a batch among which one that was passed over is recognised."""


@dataclass(frozen=True, slots=True)
class AssetVerified:
    """What was compared of one asset."""

    symbol: str
    token: Address | None
    """None for an asset without entries that is not deployed: there is nothing to compare."""
    entries: int
    """Entries on the chain."""
    waiting: int
    """Entries that are not on the chain."""
    batches: int
    balances: int
    """Balances compared; 0 at level 1."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome, for one block."""

    chain_id: int
    block_number: int
    block_hash: Hash32
    level: int
    assets: tuple[AssetVerified, ...]
    mismatches: tuple[Mismatch, ...]
    omitted: int
    """Mismatches found beyond the limit, and not listed."""

    @property
    def agree(self) -> bool:
        """Whether nothing differs."""
        return not self.mismatches


def verify(
    ledger: Ledger,
    chain: Chain,
    level: int = 2,
    *,
    limit: int = 1_000,
    progress: ReportProgress = ignore,
) -> VerifyReport:
    """Compare every entry (and, at level 2, every balance) with the chain's latest block.

    Entries that are not on the chain are a mismatch too (`NOT_REPLAYED`): chain and ledger do not
    agree until they are sealed and replayed. At most `limit` mismatches are listed.

    Raises:
        ChainError: it could not be told: the node fails, lacks logs, or has no such contract.
    """
    if level not in LEVELS:
        raise BridgeError(f"level must be one of {LEVELS}, not {level}")
    return _Verify(ledger, chain, level, limit, progress).run()


class _Verify:
    """One verification, and what its parts share."""

    def __init__(
        self, ledger: Ledger, chain: Chain, level: int, limit: int, progress: ReportProgress
    ) -> None:
        self.ledger = ledger
        self.chain = chain
        self.at: Block = chain.block()
        self.progress = progress
        self.doubted: dict[Address, Address] = {}
        """Stored addresses that do not follow from their accounts, and what does."""
        self._level = level
        self._limit = limit
        self._mismatches: list[Mismatch] = []
        self._omitted = 0

    def run(self) -> VerifyReport:
        """Compare accounts, then each asset; at last make sure that the block is still there."""
        self._check_accounts()
        assets = tuple(self._verify_asset(asset) for asset in self.ledger.assets())
        self.chain.check_canonical(self.at)
        return VerifyReport(
            chain_id=self.chain.chain_id,
            block_number=self.at.number,
            block_hash=self.at.hash,
            level=self._level,
            assets=assets,
            mismatches=tuple(self._mismatches),
            omitted=self._omitted,
        )

    def report(self, mismatch: Mismatch) -> None:
        """Keep a mismatch, or count it if there are too many to list."""
        if len(self._mismatches) < self._limit:
            self._mismatches.append(mismatch)
        else:
            self._omitted += 1

    def _check_accounts(self) -> None:
        """Recompute every address from (id, blind, registrar): tokens lie there."""
        ledger_id = self.ledger.identity.ledger_id
        for account in self.ledger.accounts():
            try:
                check_account(account, ledger_id)
            except FoundError as error:
                found, id_ = error.finding, account.account_id
                kind = MismatchKind.ACCOUNT_ALTERED
                self.report(Mismatch(kind, "", found.expected, found.found, account_id=id_))
                if found.what == "address":
                    self.doubted[account.address] = Address.parse(found.expected)

    def _verify_asset(self, asset: Asset) -> AssetVerified:
        """Compare one asset."""
        symbol = asset.symbol
        last = self.ledger.head(symbol).seq
        try:
            token = read_token(self.chain, self.ledger.identity, asset, self.at)
        except NoContractError:
            if asset.operator is None and last == 0:
                return AssetVerified(symbol, None, 0, 0, 0, 0)
            raise
        logs = _Logs(self, token, last)
        logs.check()
        if token.deferring:
            self.report(_not_settled(symbol))
        has_balances = self._level > 1 and not token.deferring
        balances = _Balances(self, token, logs).check() if has_balances else 0
        return AssetVerified(
            symbol, token.address, token.last_seq, logs.waiting, token.batches, balances
        )


class _Logs:
    """Level 1 of one asset: each batch on the chain against the entries that come next."""

    def __init__(self, work: _Verify, token: Token, last: int) -> None:
        self.last = last
        """The seq of the last entry when the verification began."""
        self.followed = 0
        """The seq of the last entry that is accounted for on the chain."""
        self.waiting = 0
        """How many entries are not."""
        self.moved: Counter[Address] = Counter()
        """What accounts gained or lost by transfers after the token went live."""
        self._work = work
        self._token = token
        self._symbol = token.asset.symbol
        domain = work.ledger.identity.domain
        self._journal = JournalChain(domain, token.asset)
        self._history = HistoryChain(domain, token.asset)
        self._entries = work.ledger.entries(self._symbol, 1, last)
        self._waiting: list[Entry] = []
        self._head_differs = False

    def check(self) -> None:
        """Compare every log of the token."""
        work, token = self._work, self._token
        batches = read_batches(work.chain, token, work.at)
        done = 0
        for found in read_replayed(work.chain, token, batches, work.at):
            if isinstance(found, ReplayedBatch):
                self._check_batch(found)
                done += 1
                work.progress(Progress(self._symbol, found.event.last_seq, token.last_seq))
            elif token.live and done == token.batches:
                self.moved[found.from_] -= found.amount
                self.moved[found.to] += found.amount
            else:
                work.report(foreign_record(self._symbol, found))
        if self._history.history != token.history:
            kind, own = MismatchKind.HISTORY_DIFFERS, str(self._history.history)
            work.report(Mismatch(kind, self._symbol, own, str(token.history)))
        if first := self._waiting[0] if self._waiting else next(self._entries, None):
            self.waiting = self.last - first.seq + 1
            work.report(self._not_replayed(first.seq))

    def _check_batch(self, found: ReplayedBatch) -> None:
        """Compare one batch with the entries that come next."""
        event, records = found.event, found.records
        if mismatch := self._history.follow(event, records):
            self._work.report(mismatch)
        entries = self._take(event.size + _LOOK_AHEAD)
        if self._work.doubted:
            entries = with_addresses(entries, records, self._work.doubted)
        mismatches, used = compare_batch(self._symbol, entries, event, records)
        altered = self._journal.follow(entries[:used]) - {found.seq for found in mismatches}
        mismatches += (altered_entry(entry) for entry in entries[:used] if entry.seq in altered)
        if not mismatches:
            mismatches = self._compare_ends(entries[:used], event)
        for mismatch in mismatches:
            self._work.report(mismatch)
        self._waiting = entries[used:]
        self.followed = entries[used - 1].seq if used else self.followed

    def _take(self, count: int) -> list[Entry]:
        """Return the next `count` entries that no batch has used up."""
        return [*self._waiting, *islice(self._entries, max(0, count - len(self._waiting)))]

    def _compare_ends(self, entries: list[Entry], event: BatchReplayed) -> list[Mismatch]:
        """Return the first batch whose head or root differs: the ones after must differ too."""
        mismatch = compare_ends(self._journal, self._symbol, entries, event)
        if mismatch is None or self._head_differs:
            return []
        self._head_differs = True
        return [mismatch]

    def _not_replayed(self, first: int) -> Mismatch:
        """Return the mismatch of the entries that are not on the chain."""
        return Mismatch(
            MismatchKind.NOT_REPLAYED,
            self._symbol,
            f"{self.waiting} more entries on the chain, up to {self.last}",
            "none: run `evm-ledger seal`, then `evm-ledger chain replay`",
            seq=first,
        )


class _Balances:
    """Level 2 of one asset: stored balances, less what is not replayed, against the chain's."""

    def __init__(self, work: _Verify, token: Token, logs: _Logs) -> None:
        self._work = work
        self._ledger = work.ledger
        self._token = token
        self._symbol = token.asset.symbol
        self._moved = logs.moved
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
            found = read_balances(work.chain, self._token.address, addresses, work.at)
            for balance, on_chain in zip(chunk, found, strict=True):
                self._compare(balance, on_chain)
            count += len(chunk)
        self._compare_supply()
        return count

    def _compare(self, balance: Balance, on_chain: int) -> None:
        """Compare the balance of one account."""
        id_ = balance.account_id
        moved = self._moved[balance.address]
        if balance.balance - self._tail[id_] + moved == on_chain:
            return
        work, address = self._work, balance.address
        if address in work.doubted:
            true = [work.doubted[address]]
            on_chain = next(read_balances(work.chain, self._token.address, true, work.at))
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


def _not_settled(symbol: str) -> Mismatch:
    """Return the mismatch of a token in a deferral: its balances are in no block yet."""
    found = "none yet: a deferral is under way, run `evm-ledger chain replay`"
    return Mismatch(MismatchKind.NOT_SETTLED, symbol, "a balance of every account", found)
