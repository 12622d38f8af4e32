"""Transfers as ethereum-etl writes them: `token_transfers.csv` (github.com/blockchain-etl).

Columns and order are FIELDS_TO_EXPORT of its `token_transfers_item_exporter.py`, addresses and
hashes lower case, amounts whole numbers; lines end as Python's `csv` ends them, with CR LF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bridge.codec import Log

FILE: Final = "token_transfers.csv"
COLUMNS: Final = (
    "token_address",
    "from_address",
    "to_address",
    "value",
    "transaction_hash",
    "log_index",
    "block_number",
)
END: Final = "\r\n"
HEADER: Final = (",".join(COLUMNS) + END).encode()


def csv_line(log: Log) -> bytes:
    """Return the line of a `Transfer`."""
    place = log.place
    return (
        f"0x{log.address.hex()},0x{log.topics[1][12:].hex()},0x{log.topics[2][12:].hex()},"
        f"{int.from_bytes(log.data, 'big')},0x{place.transaction_hash.hex()},"
        f"{place.log_index},{place.block_number}{END}"
    ).encode()
