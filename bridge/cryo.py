"""Transfers as cryo writes them: its `erc20_transfers` in Parquet (github.com/paradigmxyz/cryo).

Columns, types, order and names of files are those of cryo 0.3.2 without options:
`crates/freeze/src/datasets/erc20_transfers.rs` (columns), `crates/to_df/src/lib.rs` (one column for
each way to write a uint256), `types/chunks/number_chunk.rs` and `crates/cli/src/parse/
file_output.rs` (names). The bytes are not cryo's, which compresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.parquet import Kind, ParquetFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.codec import Log
    from bridge.parquet import Sink

FOLDER: Final = "erc20_transfers"
"""Where cryo puts the files with `--subdirs datatype`."""

FILE_BLOCKS: Final = 1_000
"""Blocks of a file (cryo's `--chunk-size`); the first file begins with block 0."""

COLUMNS: Final[Mapping[str, Kind]] = {
    "block_number": Kind.UINT32,
    "transaction_index": Kind.UINT32,
    "log_index": Kind.UINT32,
    "transaction_hash": Kind.BINARY,
    "erc20": Kind.BINARY,
    "from_address": Kind.BINARY,
    "to_address": Kind.BINARY,
    "value_binary": Kind.BINARY,
    "value_string": Kind.STRING,
    "value_f64": Kind.DOUBLE,
    "chain_id": Kind.UINT64,
}
"""`value_f64` is a float, because cryo has it; the exact amounts are in the two before it."""

_U32: Final = Kind.UINT32.pack
_F64: Final = Kind.DOUBLE.pack
_BYTES: Final = Kind.BINARY.pack
_WORD: Final = (32).to_bytes(4, "little")
_ADDRESS: Final = (20).to_bytes(4, "little")
"""The lengths before values that all have one: what `_BYTES` puts there."""


class File(NamedTuple):
    """A file and its blocks."""

    name: str
    first: int
    last: int


def files(chain_id: int, last_block: int) -> Iterator[File]:
    """Yield the files for blocks 0 to `last_block`, as `cryo erc20_transfers -b 0:LAST+1` does."""
    for first in range(0, last_block + 1, FILE_BLOCKS):
        last = min(first + FILE_BLOCKS - 1, last_block)
        name = f"network_{chain_id}__erc20_transfers__{first:08d}_to_{last:08d}.parquet"
        yield File(f"{FOLDER}/{name}", first, last)


class TransfersFile:
    """One Parquet file of transfers being written."""

    def __init__(self, chain_id: int, out: Sink) -> None:
        self._chain_id = Kind.UINT64.pack(chain_id)
        self._file = ParquetFile(COLUMNS, out)

    def add(self, log: Log) -> None:
        """Add a `Transfer`; logs come by (block number, log index), as cryo sorts them."""
        place, amount = log.place, int.from_bytes(log.data, "big")
        self._file.add(
            (
                _U32(place.block_number),
                _U32(place.transaction_index),
                _U32(place.log_index),
                _WORD + place.transaction_hash,
                _ADDRESS + log.address,
                _ADDRESS + log.topics[1][12:],
                _ADDRESS + log.topics[2][12:],
                _WORD + log.data,
                _BYTES(b"%d" % amount),
                _F64(amount),
                self._chain_id,
            )
        )

    def end(self) -> None:
        """Write what is left of the file."""
        self._file.end()
