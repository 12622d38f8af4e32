"""The files of an export that follow from its logs, each as another tool writes or reads it.

All of them are written in one pass, a log at a time. An import writes them again, and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge import cryo, etl
from bridge.cryo import TransfersFile
from bridge.files import LOGS
from bridge.parquet import Sink
from bridge.strict import dump_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.codec import Log

ARRAY: Final = "logs.json"
"""The logs as the one array that `eth_getLogs` returns; LOGS is for tools that stream."""

FOLDERS: Final = (cryo.FOLDER,)

OpenSink: TypeAlias = Callable[[str], AbstractContextManager[Sink]]
"""Opens the file of a name in an export."""


def rows_of_files(chain_id: int, blocks: Sequence[int]) -> Mapping[str, int]:
    """Return every such file of an export and its rows; `blocks` has the logs of block 1, 2, ..."""
    logs = sum(blocks)
    rows = {LOGS: logs, ARRAY: logs, etl.FILE: logs}
    for file in cryo.files(chain_id, len(blocks)):
        rows[file.name] = sum(blocks[max(file.first - 1, 0) : file.last])
    return rows


class LogFiles:
    """These files being written."""

    def __init__(self, stack: ExitStack, open_sink: OpenSink, chain_id: int, blocks: int) -> None:
        self._lines = stack.enter_context(open_sink(LOGS))
        self._array = stack.enter_context(open_sink(ARRAY))
        self._csv = stack.enter_context(open_sink(etl.FILE))
        self._last = b""
        self._array.write(b"[\n", 0)
        self._csv.write(etl.HEADER, 0)
        self._open_sink = open_sink
        self._chain_id = chain_id
        self._parts = cryo.files(chain_id, blocks)
        self._stack = stack
        self._open_part()

    def add(self, log: Log) -> None:
        """Add the next log; they come by (block number, log index)."""
        line = dump_line(log.to_rpc())
        self._lines.write(line)
        if self._last:
            self._array.write(self._last[:-1] + b",\n")
        self._last = line
        self._csv.write(etl.csv_line(log))
        while log.place.block_number > self._part.last:
            self._end_part()
            self._open_part()
        self._table.add(log)

    def end(self) -> None:
        """Write what is left."""
        if self._last:
            self._array.write(self._last)
        self._array.write(b"]\n", 0)
        self._end_part()

    def _open_part(self) -> None:
        """Begin the next Parquet file."""
        self._part = next(self._parts)
        self._closing = self._stack.enter_context(ExitStack())
        sink = self._closing.enter_context(self._open_sink(self._part.name))
        self._table = TransfersFile(self._chain_id, sink)

    def _end_part(self) -> None:
        """Write what is left of a Parquet file, and close it."""
        self._table.end()
        self._closing.close()


@contextmanager
def log_files(open_sink: OpenSink, chain_id: int, blocks: int) -> Iterator[LogFiles]:
    """Open the files for the logs of blocks 1 .. `blocks`; they are whole when this is left."""
    with ExitStack() as stack:
        files = LogFiles(stack, open_sink, chain_id, blocks)
        yield files
        files.end()
