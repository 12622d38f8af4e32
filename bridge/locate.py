"""Where a chain and a ledger part, by few questions: a bisection over the heads of batches.

A head commits to every entry before it. So if the head that the chain has after a batch is the
ledger's, all entries up to there are; and if it is not, the difference is there or before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.codec import BATCH_REPLAYED, BatchReplayed, transfer_record
from bridge.compare import Difference, compare_batch
from bridge.errors import ContradictionError
from bridge.known_blocks import check_reached
from bridge.tokens import checked_logs, read_token
from bridge.verify_work import TAGS, named_block
from ledger.encoding import uint_word
from ledger.model import Hash32

if TYPE_CHECKING:
    from bridge.chain import Block, Chain
    from bridge.tokens import Token
    from ledger import Ledger
    from ledger.model import Record

_LOOK_AHEAD: Final = 64
"""Entries after a batch among which one that was passed over is recognised."""


@dataclass(frozen=True, slots=True)
class Located:
    """How far the chain has the history of one asset, and where it parts from the ledger's."""

    symbol: str
    entries: int
    """Entries on the chain."""
    waiting: int
    """Entries that are in the ledger and not on the chain."""
    live: bool
    """Whether the token is live, so that those will never be there."""
    difference: Difference | None
    """None if every entry on the chain is the ledger's."""

    @property
    def agree(self) -> bool:
        """Whether the chain has exactly the ledger's history, as far as heads say."""
        return self.difference is None and not self.waiting


def first_difference(
    ledger: Ledger, chain: Chain, asset: str | None = None, *, block: str = "latest"
) -> Difference | None:
    """Return where the histories of `asset` part; None if every entry on the chain is the ledger's.

    Asks for one log in about log2(batches) queries, then for the logs of one batch. A node that
    has forgotten old logs leaves a longer stretch, and no batch, in the answer.

    It compares the heads that the ledger stores with those that the operator stated when each
    batch was replayed. What neither of them shows, `audit` and `verify` find: an altered row whose
    head was left alone, logs that are not what the head stands for.

    Raises:
        StaleBlockError: the block is older than one with this ledger's own transactions.
        ChainError: it could not be told: the node fails, or has no such contract.
        ContradictionError: the node's answers contradict each other.
    """
    return whereabouts(ledger, chain, asset, block=block).difference


def whereabouts(
    ledger: Ledger, chain: Chain, asset: str | None = None, *, block: str = "latest"
) -> Located:
    """Return `first_difference` with how many entries the chain has and has not; raises as it."""
    at = named_block(chain, block)
    if block in TAGS:
        check_reached(ledger, chain, block, at)
    token = read_token(chain, ledger.identity, ledger.asset(asset), at)
    last = ledger.head(token.asset.symbol).seq
    return Located(
        symbol=token.asset.symbol,
        entries=token.last_seq,
        waiting=max(0, last - token.last_seq),
        live=token.live,
        difference=_Search(ledger, chain, token, at, last).run(),
    )


class _Search:
    """One bisection, and how far it has come."""

    def __init__(self, ledger: Ledger, chain: Chain, token: Token, at: Block, last: int) -> None:
        self._ledger = ledger
        self._chain = chain
        self._token = token
        self._symbol = token.asset.symbol
        self._last = last
        self._at = at
        self._agreed = 0
        """The seq of the last entry that is known to be the same."""
        self._first_block, self._last_block = 0, at.number
        """Between these is the batch that is looked for."""

    def run(self) -> Difference | None:
        """Return the first difference."""
        token = self._token
        if self._is_ours(token.last_seq, token.head):
            return None
        differs = self._first_differing()
        if differs is None:
            return Difference(self._symbol, self._agreed + 1, token.last_seq, None)
        if differs.first_seq > self._agreed + 1:  # the logs before it are forgotten
            return Difference(self._symbol, self._agreed + 1, differs.last_seq, None)
        return self._inside(differs)

    def _first_differing(self) -> BatchReplayed | None:
        """Return the first batch that differs, if the node still has its event."""
        token = self._token
        self._first_block = self._chain.has_code_since(token.address, self._at)
        low, high = 0, token.batches
        differs: BatchReplayed | None = None
        while high - low > 1:
            middle = (low + high) // 2
            event = self._event(middle)
            if event is None:
                low = middle
            elif self._is_ours(event.last_seq, event.new_head):
                low, self._agreed = middle, event.last_seq
                self._first_block = event.place.block_number
            elif self._begins_as_ours(event):
                return event
            else:
                high, differs = middle, event
                self._last_block = event.place.block_number
        differs = differs or self._event(high)
        if differs is None:
            return None
        if self._is_ours(differs.last_seq, differs.new_head):
            raise ContradictionError(
                f"{self._symbol}: {self._chain.name} returned an event of batch {high} in which "
                "the head is another than the contract's"
            )
        self._begins_as_ours(differs)
        return differs

    def _begins_as_ours(self, event: BatchReplayed) -> bool:
        """Tell whether everything before a batch is the same, and remember it."""
        before = event.first_seq - 1
        if not self._is_ours(before, event.prev_head):
            return False
        self._agreed = max(self._agreed, before)
        return True

    def _event(self, number: int) -> BatchReplayed | None:
        """Return the event of one batch; None if the node has it no more."""
        logs = checked_logs(
            self._chain,
            self._token.address,
            self._first_block,
            self._last_block,
            BATCH_REPLAYED,
            Hash32(uint_word(number)),
        )
        found = [BatchReplayed.parse(log) for log in logs]
        if len(found) > 1:
            raise ContradictionError(
                f"{self._symbol}: {self._chain.name} returned {len(found)} events of batch {number}"
            )
        return found[0] if found else None

    def _is_ours(self, seq: int, head: Hash32) -> bool:
        """Tell whether the ledger has `head` after entry `seq`."""
        if seq == 0:
            return (
                True  # the contract's code makes the first head, from what its address is made of
            )
        entry = next(self._ledger.entries(self._symbol, seq, min(seq, self._last)), None)
        return entry is not None and entry.head == head

    def _inside(self, event: BatchReplayed) -> Difference:
        """Return the difference in a batch: to the entry, if it is in something that a log has."""
        found: Difference | None = None
        if len(records := self._records(event)) == event.size:
            entries = self._ledger.entries(
                self._symbol, event.first_seq, min(event.last_seq + _LOOK_AHEAD, self._last)
            )
            mismatches, _ = compare_batch(self._symbol, list(entries), event, records)
            found = Difference.of(self._symbol, event, mismatches)
        return found or Difference(self._symbol, event.first_seq, event.last_seq, event.number)

    def _records(self, event: BatchReplayed) -> list[Record]:
        """Return the movements of one batch, as far as the node has their logs."""
        place = event.place
        logs = checked_logs(
            self._chain, self._token.address, place.block_number, place.block_number
        )
        found = [
            transfer_record(log)
            for log in logs
            if log.place.transaction_hash == place.transaction_hash
            and log.place.log_index < place.log_index
        ]
        return [record for record in found if record is not None]
