"""Where a ledger's logs lie before any chain: a seal is a block, a group a transaction.

A reader of an export finds block numbers, transaction hashes and log indexes as in `eth_getLogs`,
under the ledger's own chain id, which is virtual: no such chain runs anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.codec import Log, Place, transfer_log
from ledger.batches import units
from ledger.model import ZERO_HASH, Address, Hash32, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.results import Entry


class Journal(NamedTuple):
    """One asset's entries in a seal, in the order of their seq."""

    symbol: str
    asset_id: Hash32
    address: Address
    """The token, or the placeholder for it."""
    entries: Iterable[Entry]


def seal_logs(number: int, seal_id: Hash32, journals: Sequence[Journal]) -> Iterator[Log]:
    """Yield the logs of a seal, in the order in which it was cut.

    That is by (timestamp, lowest (asset, seq) of the group, asset, seq), assets by their ids.
    """
    ids = {journal.symbol: journal.asset_id for journal in journals}
    addresses = {journal.symbol: journal.address for journal in journals}
    log_index = 0
    for index, unit in enumerate(units([journal.entries for journal in journals], ids)):
        hash_ = unit[0].id if unit[0].group == ZERO_HASH else unit[0].group
        for entry in unit:
            record = Record(entry.from_address, entry.to_address, entry.amount)
            place = Place(number, seal_id, index, hash_, log_index)
            yield transfer_log(addresses[entry.asset], record, place)
            log_index += 1
