"""What moved after a token went live, by its logs; and at level 3, which of them are lies.

The contract keeps no history of it. But the balances before follow from the replayed batches, which
make the proven history, and the balances now are proven: logs that do not lead from the ones to the
others are the node's lie, whatever the ledger says. Which log it was, receipts tell.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bridge.codec import transfer_record
from bridge.errors import ContradictionError
from bridge.proven_logs import ProvenLogs
from ledger.model import ZERO_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.codec import Log
    from bridge.tokens import Token
    from bridge.verify_work import Work
    from ledger.model import Address, Record


class LiveLogs:
    """The logs of one token since it went live."""

    def __init__(self, work: Work, token: Token) -> None:
        """Prove as many of the last logs as `work` says, if it proves anything.

        Raises:
            ContradictionError, ChainError: as `ProvenLogs`.
        """
        self.moved: Counter[Address] = Counter()
        """What each address gained or lost."""
        self.transfers = 0
        """How many transfers that were."""
        self.proven_transfers = 0
        """How many of them are in receipts that make their block's root."""
        self.is_proving = token.live and work.is_proven
        """Whether the logs are compared with proven balances, and so every batch must be added."""
        self._work = work
        self._token = token
        self._symbol = token.asset.symbol
        self._replayed: Counter[Address] = Counter()
        self._proven: ProvenLogs | None = None
        if self.is_proving and token.batches:  # else there is nothing that could move
            self._proven = ProvenLogs(
                work.chain, token, work.at, work.live_blocks, progress=work.progress
            )

    @property
    def is_whole(self) -> bool:
        """Whether every log since the token went live is compared with receipts, if it is live."""
        return self._proven is None or self._proven.is_whole

    def add_replayed(self, records: Sequence[Record]) -> None:
        """Add the movements of a batch, from before the token went live."""
        for record in records:
            _move(self._replayed, record)

    def follow(self, log: Log) -> None:
        """Follow the next log after the last batch.

        Raises:
            ContradictionError: the receipts of its block do not have it, or have another before.
        """
        is_proven = self._proven is not None and self._proven.check(log)
        if (record := transfer_record(log)) is None:
            return
        _move(self.moved, record)
        self.transfers += 1
        self.proven_transfers += is_proven

    def end(self) -> None:
        """Raise ContradictionError if the receipts have more logs than were given."""
        if self._proven is not None:
            self._proven.end()

    def check_balance(self, address: Address, balance: int, whose: str) -> None:
        """Raise ContradictionError unless a proven balance is what all the logs come to."""
        made = self._replayed[address] + self.moved[address]
        if made != balance:
            raise self._lie(f"{whose} ({address})", made, balance)

    def check_others(self, known: set[Address]) -> None:
        """Prove the balances of the addresses in the logs that are not `known`.

        With them the balances come to the whole supply: nobody is left who could have gained.

        Raises:
            ContradictionError: as `check_balance`.
        """
        addresses = sorted({*self._replayed, *self.moved} - known - {ZERO_ADDRESS})
        balances = self._work.state.balances(self._token.address, addresses)
        for address, balance in zip(addresses, balances, strict=True):
            self.check_balance(address, balance, "an address that is no account's")
        made = -self._replayed[ZERO_ADDRESS] - self.moved[ZERO_ADDRESS]
        if made != self._token.total_supply:
            raise self._lie("the supply", made, self._token.total_supply)

    def _lie(self, what: str, made: int, proven: int) -> ContradictionError:
        """Return the error for logs from which something else follows than is proven."""
        return ContradictionError(
            f"{self._symbol}: {what}: {proven} by proof, and the logs that "
            f"{self._work.chain.name} returned make {made}: it left out, made up or altered "
            f"Transfer logs since the token went live: the node lies, the ledger is not at fault "
            "(--live-blocks all names the log)"
        )


def _move(balances: Counter[Address], record: Record) -> None:
    """Move what a record says."""
    balances[record.from_] -= record.amount
    balances[record.to] += record.amount
