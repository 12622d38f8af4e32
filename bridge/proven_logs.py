"""The logs of a live token by proof: a node leaves none out, and makes none up.

A header has the hash of the one before it, so that all of them follow from one block's hash; a
block's bloom says that it has no log of the token, or its receipts, which must make the header's
root, say which it has (Yellow Paper, 4.3).
"""

from __future__ import annotations

from itertools import chain as chained
from typing import TYPE_CHECKING, Any, Final

from bridge.codec import BATCH_REPLAYED, Log, Place, transfer_record
from bridge.errors import ContradictionError
from bridge.progress import Progress, ReportProgress, ignore
from bridge.proven import read_header_of
from bridge.receipts import may_hold, receipts_root
from ledger.hashing import keccak_text
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.chain import Block, Chain
    from bridge.headers import Header
    from bridge.tokens import Token

FINALIZED: Final = Hash32(keccak_text("Finalized(bytes32,bytes32,uint64)"))
"""topics[0] of the event with which a token goes live."""


class ProvenLogs:
    """The last logs of a live token, with which those that a node gave are compared."""

    def __init__(
        self,
        chain: Chain,
        token: Token,
        at: Block,
        blocks: int | None,
        *,
        progress: ReportProgress = ignore,
    ) -> None:
        """Go back from block `at` to where `token` went live, or over `blocks` blocks if given.

        Raises:
            ContradictionError: a header or the receipts of a block are not what they must be.
            ChainError: the node has no receipts.
        """
        self._chain = chain
        self._symbol = token.asset.symbol
        self.is_whole = False
        """Whether they go back to where the token went live."""
        self._first = at.number + 1
        """The first block of which the logs are known."""
        logs: list[list[Log]] = []
        hash_, step = at.hash, f"{self._symbol} receipts"
        most = at.number if blocks is None else min(blocks, at.number)
        for number in range(at.number, at.number - most, -1):
            header = read_header_of(chain, hash_, number)
            self._first, hash_ = number, header.parent
            if may_hold(header.logs_bloom, token.address):
                found = [log for log in _block_logs(chain, header) if log.address == token.address]
                logs.append(_after_batches(found))
                self.is_whole = any(log.topics[0] == FINALIZED for log in found)
                if self.is_whole:
                    break
            progress(Progress(step, at.number - number + 1, most))
        self._logs: Iterator[Log] = chained.from_iterable(reversed(logs))

    def check(self, given: Log) -> bool:
        """Compare the next log that the node gave; tell whether it is proven.

        Raises:
            ContradictionError: the chain has another log there, or none; says which.
        """
        if given.place.block_number < self._first:
            if self.is_whole and transfer_record(given) is not None:
                raise self._lie(given, "returned", "is in no batch, and of before it went live")
            return False
        proven = next(self._logs, None)
        if proven == given:
            return True
        if proven is None or _position(given) < _position(proven):
            raise self._lie(given, "returned", "is in none of the receipts: it was made up")
        if _position(proven) < _position(given):
            raise self._left_out(proven)
        raise self._lie(given, "returned", f"is by the receipts {_shown(proven)}: it was altered")

    def end(self) -> None:
        """Raise ContradictionError if the node gave fewer logs than there are."""
        if (proven := next(self._logs, None)) is not None:
            raise self._left_out(proven)

    def _left_out(self, log: Log) -> ContradictionError:
        return self._lie(log, "left out", "is in the receipts that make the block's receiptsRoot")

    def _lie(self, log: Log, did: str, why: str) -> ContradictionError:
        """Return the error that names a log about which the node lied."""
        place = log.place
        return ContradictionError(
            f"{self._symbol}: {self._chain.name} {did} log {place.log_index} of block "
            f"{place.block_number}, {_shown(log)}, which {why}: the node lies"
        )


def _block_logs(chain: Chain, header: Header) -> list[Log]:
    """Return all logs of a block, by receipts that make the root in its header."""
    receipts = chain.block_receipts(header.hash)
    what = f"the receipts of block {header.number}"
    root = chain.parsed(what, lambda: receipts_root(receipts))
    if root != header.receipts_root:
        raise ContradictionError(
            f"{what} that {chain.name} returned make the root {root}, and its header has "
            f"{header.receipts_root}: the node lies, or this chain encodes receipts in another "
            "way (then give --live-blocks 0)"
        )
    return chain.parsed(what, lambda: _placed(chain, header, receipts))


def _placed(chain: Chain, header: Header, receipts: list[dict[str, Any]]) -> list[Log]:
    """Return the logs in `receipts`; where they are follows from their order."""
    logs: list[Log] = []
    for index, receipt in enumerate(receipts):
        for given in map(Log.parse, receipt["logs"]):
            hash_ = Hash32.parse(receipt["transactionHash"])
            place = Place(header.number, header.hash, index, hash_, len(logs))
            if given.place != place:
                raise ContradictionError(
                    f"{chain.name} returned a receipt in block {header.number} in which log "
                    f"{len(logs)} is said to be log {given.place.log_index} of block "
                    f"{given.place.block_number}"
                )
            logs.append(given)
    return logs


def _after_batches(logs: list[Log]) -> list[Log]:
    """Return the logs of one block that come after the last batch in it: the ones to compare."""
    ends = (place for place, log in enumerate(logs, 1) if log.topics[0] == BATCH_REPLAYED)
    return logs[max(ends, default=0) :]


def _position(log: Log) -> tuple[int, int]:
    """Return where a log is."""
    return log.place.block_number, log.place.log_index


def _shown(log: Log) -> str:
    """Return what a log says, for people."""
    record = transfer_record(log)
    if record is None:
        return f"an event {log.topics[0] if log.topics else 'without a topic'}"
    return f"a Transfer of {record.amount} from {record.from_} to {record.to}"
