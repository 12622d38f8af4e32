"""An export back into a ledger: every byte checked, every id recomputed, all or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final

from bridge import files, standing
from bridge.codec import encode_payload
from bridge.coordinates import Journal, seal_logs
from bridge.findings import export_error
from bridge.log_checks import ComparedFile
from bridge.log_files import log_files
from bridge.manifest import Manifest, read_manifest
from bridge.progress import Progress, ReportProgress, ignore
from bridge.strict import (
    Place,
    Reader,
    load_json,
    load_line,
    read_fields,
    read_hash,
)
from ledger import Ledger, Restore, RestoreError
from ledger.batches import records_of
from ledger.ids import ledger_chain_id
from ledger.results import Carried

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from ledger.model import Hash32
    from ledger.results import Account, CarriedHold, Entry, HoldKey, Limits

_CHUNK: Final = 1 << 20
_SECRETS: Final[Mapping[str, Reader]] = {"ledger_id": read_hash, "pepper": read_hash}
_LINES: Final = (files.ACCOUNTS, files.ENTRIES, files.LOGS, *standing.FILES)
"""Files of one row a line; what is in the others follows byte for byte."""


def import_ledger(
    folder: Path,
    url: str,
    *,
    pepper: Hash32 | None = None,
    lock_timeout: float | None = None,
    progress: ReportProgress = ignore,
) -> Ledger:
    """Make a ledger in the empty database at `url` from the export in `folder`, and open it.

    Without `pepper` (see `read_secrets`) it can be read, audited and verified, not posted to.

    Raises:
        ExportFileError: a file is missing, longer, shorter or altered, or does not follow from
            the entries. The database is as it was.
        DatabaseFileError: the database cannot be used, or holds a ledger already.
    """
    source = _Source(folder, read_manifest(folder), progress)
    source.check_files()
    manifest = source.manifest
    contents = Restore(
        ledger_id=manifest.ledger_id,
        registrar=manifest.registrar,
        created_at=manifest.created_at,
        assets=tuple(exported.asset for exported in manifest.assets),
        accounts=source.accounts,
        entries=source.entries,
        seals=manifest.seals,
        carried=source.carried,
        spent_keys=source.spent_keys,
        check=source.check_derived,
    )
    try:
        return Ledger.restore(url, contents, pepper=pepper, lock_timeout=lock_timeout)
    except RestoreError as error:
        raise export_error(folder, manifest, error.finding) from None


def read_secrets(path: Path, ledger_id: Hash32) -> Hash32:
    """Return the pepper that `export --secrets` wrote to `path`.

    Raises:
        ExportFileError: the file cannot be read, or is of another ledger.
    """
    place = Place(path.name)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise place.error(f"cannot be read ({error.strerror})") from None
    found = read_fields(place, load_json(place, text), _SECRETS)
    if found["ledger_id"] != ledger_id:
        raise place.error(f"is of another ledger, {found['ledger_id']}", "ledger_id")
    pepper: Hash32 = found["pepper"]
    return pepper


@dataclass(frozen=True, slots=True)
class _Start:
    """Where an asset's rows begin in `entries.jsonl`."""

    offset: int
    line: int


class _Source:
    """An export being read: checked once as bytes, then streamed as often as it takes."""

    def __init__(self, folder: Path, manifest: Manifest, progress: ReportProgress) -> None:
        self.manifest = manifest
        self._folder = folder
        self._progress = progress
        self._starts: dict[str, _Start] = {}
        self._written = 0
        self._holds: dict[str, list[CarriedHold]] = {}
        self._limits: dict[str, dict[str, Limits]] = {}

    # --- as bytes ---

    def check_files(self) -> None:
        """Refuse unless exactly the files of the manifest are there, each as it says."""
        inside = (path for path in self._folder.rglob("*") if not path.is_dir())
        present = {path.relative_to(self._folder).as_posix() for path in inside}
        for name in sorted(present - set(self.manifest.files) - {files.MANIFEST}):
            raise Place(name).error("is no file of this export: remove it")
        for name in self.manifest.files:
            self._check_file(name)
        self._find_starts()
        self._read_standing()

    def _check_file(self, name: str) -> None:
        """Refuse a file whose size, rows or sum are not those of the manifest."""
        place, facts = Place(name), self.manifest.files[name]
        digest, size, rows = sha256(), 0, 0
        with self._open(name) as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                rows += chunk.count(b"\n")
        if size != facts.size:
            raise place.error(f"has {size} bytes, must have {facts.size}")
        if digest.hexdigest() != facts.sha256:
            raise place.error("was altered: its sha256 is not that of the manifest")
        if name in _LINES and rows != facts.rows:
            raise place.error(f"has {rows} lines, must have {facts.rows}")

    def _find_starts(self) -> None:
        """Note where each asset's rows begin, so that they can be read alone."""
        offset, line = 0, 1
        with self._open(files.ENTRIES) as opened:
            for exported in self.manifest.assets:
                self._starts[exported.asset.symbol] = _Start(offset, line)
                for text in islice(opened, exported.entries):
                    offset += len(text)
                    line += 1
            if opened.read(1):
                raise Place(files.ENTRIES, line).error("must end before this line")

    # --- as rows ---

    def accounts(self) -> Iterator[Account]:
        """Yield every account; ids must ascend, as an export writes them."""
        last = ""
        with self._open(files.ACCOUNTS) as opened:
            for number, line in enumerate(opened, start=1):
                place = Place(files.ACCOUNTS, number)
                account = files.read_account(place, load_line(place, line))
                if account.account_id <= last:
                    raise place.error(f"must be after {last!r}, each id once", "account_id")
                last = account.account_id
                yield account

    def _read_standing(self) -> None:
        """Read pending holds and limits; they go by asset, in the order of the manifest."""
        for place, row in self._rows(standing.HOLDS):
            held = standing.read_hold(place, row)
            self._check_order(place, held.hold.asset, self._holds)
            self._holds.setdefault(held.hold.asset, []).append(held)
        for place, row in self._rows(standing.LIMITS):
            symbol, account_id, limits = standing.read_limits(place, row)
            self._check_order(place, symbol, self._limits)
            own = self._limits.setdefault(symbol, {})
            last = next(reversed(own), "")
            if account_id <= last:
                raise place.error(f"must be after {last!r}, each id once", "account_id")
            own[account_id] = limits

    def _rows(self, name: str) -> Iterator[tuple[Place, object]]:
        """Yield the rows of a file that an export need not have, but not without a row."""
        if name not in self.manifest.files:
            return
        with self._open(name) as opened:
            number = 0
            for number, line in enumerate(opened, start=1):
                place = Place(name, number)
                yield place, load_line(place, line)
        if number == 0:
            raise Place(name).error("is empty: it must not be there")

    def _check_order(self, place: Place, symbol: str, before: Mapping[str, object]) -> None:
        """Refuse a row of no asset, or of one before that of the last row."""
        known = [exported.asset.symbol for exported in self.manifest.assets]
        if symbol not in known:
            raise place.error("is no asset of this export", "asset")
        last = next(reversed(list(before)), symbol)
        if known.index(symbol) < known.index(last):
            raise place.error(f"must not come after {last!r}", "asset")

    def carried(self, symbol: str) -> Carried:
        """Return the pending holds and the limits of an asset."""
        exported = next(a for a in self.manifest.assets if a.asset.symbol == symbol)
        holds, limits = self._holds.get(symbol, ()), self._limits.get(symbol, {})
        return Carried(holds, limits, exported.last_hold)

    def spent_keys(self) -> Iterator[HoldKey]:
        """Yield the keys of holds that stayed behind; they must ascend."""
        last = ""
        for place, row in self._rows(standing.KEYS):
            key = standing.read_key(place, row)
            if key.idempotency_key <= last:
                raise place.error(f"must be after {last!r}, each key once", "idempotency_key")
            last = key.idempotency_key
            yield key

    def entries(self, symbol: str) -> Iterator[Entry]:
        """Yield the entries of an asset, as they go into the database."""
        count = next(a.entries for a in self.manifest.assets if a.asset.symbol == symbol)
        with self._open(files.ENTRIES) as opened:
            opened.seek(self._starts[symbol].offset)
            numbered = enumerate(opened, start=self._starts[symbol].line)
            for number, line in islice(numbered, count):
                yield _entry(symbol, number, line)
                self._written += 1
                if self._written % 1_000 == 0 or self._written == self.manifest.entries:
                    self._progress(Progress("entries", self._written, self.manifest.entries))

    def _take(self, opened: BinaryIO, symbol: str, count: int) -> list[Entry]:
        """Return the next `count` entries of an asset, and note where the ones after begin."""
        start = self._starts[symbol]
        opened.seek(start.offset)
        lines = list(islice(opened, count))
        offset = start.offset + sum(map(len, lines))
        self._starts[symbol] = _Start(offset, start.line + count)
        return [_entry(symbol, number, line) for number, line in enumerate(lines, start.line)]

    # --- what follows from the rows ---

    def check_derived(self) -> None:
        """Refuse payloads and logs, in any file, that are not those of the entries."""
        position = done = 0
        seals = self.manifest.seals
        chain_id = ledger_chain_id(self.manifest.ledger_id)
        with (
            self._open(files.ENTRIES) as rows,
            log_files(self._compared, chain_id, len(seals)) as logs,
        ):
            for sealed in seals:
                batches = {
                    batch.symbol: self._take(rows, batch.symbol, batch.batch.size)
                    for batch in sealed.batches
                }
                for entries in batches.values():
                    position += 1
                    self._check_payload(files.batch_file(position), entries)
                for log in seal_logs(sealed.seal.number, sealed.id, self._journals(batches)):
                    logs.add(log)
                    done += 1
                self._progress(Progress("logs", done, self.manifest.entries))

    def _check_payload(self, name: str, entries: list[Entry]) -> None:
        """Refuse a payload that is not the one canonical payload of `entries`."""
        with self._open(name) as opened:
            if opened.read() != encode_payload(records_of(entries)):
                raise Place(name).error("is not the payload of the batch's entries")

    def _journals(self, batches: Mapping[str, list[Entry]]) -> list[Journal]:
        """Return each asset's entries in one seal."""
        assets = {exported.asset.symbol: exported for exported in self.manifest.assets}
        return [
            Journal(symbol, assets[symbol].asset.id, assets[symbol].log_address, entries)
            for symbol, entries in batches.items()
        ]

    @contextmanager
    def _compared(self, name: str) -> Iterator[ComparedFile]:
        """Open a file that must have what is written to it, and no more."""
        with self._open(name) as opened:
            file = ComparedFile(name, opened)
            yield file
            file.end()

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file of the export."""
        path = self._folder / name
        try:
            opened = path.open("rb")
        except OSError as error:
            raise Place(name).error(f"cannot be read ({error.strerror})") from None
        with opened:
            yield opened


def _entry(symbol: str, number: int, line: bytes) -> Entry:
    """Return the entry in a line of `entries.jsonl`, which must be of the asset `symbol`."""
    place = Place(files.ENTRIES, number)
    entry = files.read_entry(place, load_line(place, line))
    if entry.asset != symbol:
        raise place.error(f"is {entry.asset!r}, must be {symbol!r}", "asset")
    return entry
