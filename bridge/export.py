"""A ledger as a folder of files, from which anybody can rebuild it and verify a chain.

The same sealed entries give the same bytes: no clock, no host, no path is in them. Nothing
half-written is ever at the target: the folder is made under another name, then renamed.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from bridge import files, standing
from bridge.artifacts import token_address
from bridge.codec import encode_payload
from bridge.coordinates import Journal, seal_logs
from bridge.errors import BridgeError
from bridge.files import ExportedAsset, FileFacts
from bridge.log_files import FOLDERS, log_files
from bridge.new_files import new_folder, write_new_file
from bridge.progress import Progress, ReportProgress, ignore
from bridge.strict import dump_line
from ledger.batches import records_of
from ledger.errors import CorruptError
from ledger.hashing import keccak
from ledger.ids import first_head
from ledger.model import Kind, Status
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from bridge.parquet import Values
    from bridge.strict import Row
    from ledger import Ledger
    from ledger.results import Account, Asset, Carried, Entry, Sealed, SealedBatch

_CHUNK: Final = 1 << 16
"""Bytes that are written and hashed at once."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export holds."""

    path: Path
    entries: int
    accounts: int
    batches: int
    seals: int
    unsealed: int
    """Entries left out, because they are in no seal yet."""


def export(ledger: Ledger, target: Path, *, progress: ReportProgress = ignore) -> ExportReport:
    """Write every sealed entry, every account and every seal of `ledger` to the folder `target`.

    Raises:
        TargetExistsError: `target` is there already.
        BridgeError: its parent is not a folder that can be written, or the disk is full.
        CorruptError: stored entries contradict the batches that were sealed over them.
    """
    with new_folder(target) as folder:
        report = _Export(ledger, folder, progress).write()
    return ExportReport(target, *report)


class _Export:
    """One export being written."""

    def __init__(self, ledger: Ledger, folder: Path, progress: ReportProgress) -> None:
        self._ledger = ledger
        self._folder = folder
        self._progress = progress
        self._facts: dict[str, FileFacts] = {}
        # What is sealed now is the export; what is sealed while it is written is not.
        self._seals = list(ledger.seals())
        self._sealed: dict[str, list[tuple[SealedBatch, str]]] = {}
        batches = (batch for sealed in self._seals for batch in sealed.batches)
        for position, batch in enumerate(batches, start=1):
            self._sealed.setdefault(batch.symbol, []).append((batch, files.batch_file(position)))
        self._carried: dict[str, Carried] = {}
        self._taken: dict[bytes, int] = {}
        self._assets = [self._exported(asset) for asset in ledger.assets()]
        self._total = sum(asset.entries for asset in self._assets)

    def write(self) -> tuple[int, int, int, int, int]:
        """Write every file; return (entries, accounts, batches, seals, unsealed)."""
        self._write_entries()
        self._write_standing()
        accounts = self._write_accounts()
        self._write_logs()
        self._write_manifest()
        heads = (self._ledger.head(asset.asset.symbol).seq for asset in self._assets)
        batches = sum(map(len, self._sealed.values()))
        return self._total, accounts, batches, len(self._seals), sum(heads) - self._total

    def _exported(self, asset: Asset) -> ExportedAsset:
        """Return what the manifest says of `asset`."""
        identity = self._ledger.identity
        sealed = self._sealed.get(asset.symbol)
        token = token_address(identity.ledger_id, asset)
        entries = sealed[-1][0].batch.last_seq if sealed else 0
        carried = self._carried[asset.symbol] = self._ledger.carried(asset.symbol, entries)
        self._taken |= {held.hold.id: 0 for held in carried.holds}
        return ExportedAsset(
            asset=asset,
            token=token,
            log_address=token or files.placeholder_address(asset.id),
            entries=entries,
            head=sealed[-1][0].batch.new_head if sealed else first_head(identity.domain, asset.id),
            last_hold=carried.last_hold,
        )

    def _write_entries(self) -> None:
        """Write `entries.jsonl`, asset by asset, and each batch's payload beside it."""
        done = 0
        (self._folder / files.BATCHES).mkdir()
        with self._file(files.ENTRIES) as out:
            for exported in self._assets:
                symbol = exported.asset.symbol
                entries = self._ledger.entries(symbol, 1, exported.entries)
                for sealed, name in self._sealed.get(symbol, ()):
                    rows = list(islice(entries, sealed.batch.size))
                    for entry in rows:
                        out.write(dump_line(files.entry_row(entry)))
                        if entry.kind == Kind.HOLD and entry.cause in self._taken:
                            self._taken[entry.cause] += entry.amount
                    self._write_payload(name, sealed, rows)
                    done += len(rows)
                    self._progress(Progress("entries", done, self._total))

    def _write_payload(self, name: str, sealed: SealedBatch, entries: list[Entry]) -> None:
        """Write the payload of one batch."""
        if [entry.seq for entry in entries] != list(
            range(sealed.batch.first_seq, sealed.batch.last_seq + 1)
        ):
            raise _corrupt(sealed)
        payload = encode_payload(records_of(entries))
        if keccak(payload) != sealed.batch.payload_hash:
            raise _corrupt(sealed)
        with self._file(name) as out:
            out.write(payload, rows=len(entries))

    def _write_standing(self) -> None:
        """Write the files of pending holds, as the entries left them, and of limits, if any."""
        holds = [held for carried in self._carried.values() for held in carried.holds]
        if holds:
            with self._file(standing.HOLDS) as out:
                for held in holds:
                    remaining = held.hold.amount - self._taken[held.hold.id]
                    left = replace(held, hold=replace(held.hold, remaining=remaining))
                    out.write(dump_line(standing.hold_row(left)))
        rows = [
            standing.limits_row(symbol, account_id, limits)
            for symbol, carried in self._carried.items()
            for account_id, limits in carried.limits.items()
        ]
        if rows:
            with self._file(standing.LIMITS) as out:
                for row in rows:
                    out.write(dump_line(row))
        self._write_keys()

    def _write_keys(self) -> None:
        """Write the file of keys that made holds which stay behind, resolved; if there are any."""
        places = {s: {held.hold.number for held in c.holds} for s, c in self._carried.items()}
        spent = (
            key
            for key in self._ledger.hold_keys()
            if key.asset in places
            and key.number <= self._carried[key.asset].last_hold
            and key.number not in places[key.asset]
        )
        first = next(spent, None)
        if first is not None:
            with self._file(standing.KEYS) as out:
                for key in chain((first,), spent):
                    out.write(dump_line(standing.key_row(key)))

    def _write_accounts(self) -> int:
        """Write `accounts.jsonl`; return how many there are."""
        with self._file(files.ACCOUNTS) as out:
            for account in self._ledger.accounts():
                out.write(dump_line(files.account_row(self._as_it_was(account))))
        return out.rows

    def _as_it_was(self, account: Account) -> Account:
        """Return an account; frozen, if it was closed after more than the sealed entries.

        Only an account that has nothing can be closed, and by the sealed entries it has something.
        """
        if account.status != Status.CLOSED:
            return account
        had = (
            self._ledger.balance_at(account.account_id, asset.entries, asset.asset.symbol)
            for asset in self._assets
        )
        return replace(account, status=Status.FROZEN) if any(had) else account

    def _write_logs(self) -> None:
        """Write every file that follows from the logs, seal by seal."""
        done = 0
        for name in FOLDERS:
            (self._folder / name).mkdir()
        with log_files(self._file, self._ledger.identity.chain_id, len(self._seals)) as out:
            for sealed in self._seals:
                for log in seal_logs(sealed.seal.number, sealed.id, self._journals(sealed)):
                    out.add(log)
                    done += 1
                self._progress(Progress("logs", done, self._total))

    def _journals(self, sealed: Sealed) -> list[Journal]:
        """Return each asset's entries in one seal."""
        addresses = {asset.asset.symbol: asset.log_address for asset in self._assets}
        return [
            Journal(
                batch.symbol,
                batch.batch.asset,
                addresses[batch.symbol],
                self._ledger.entries(batch.symbol, batch.batch.first_seq, batch.batch.last_seq),
            )
            for batch in sealed.batches
        ]

    def _write_manifest(self) -> None:
        """Write `manifest.json`, which vouches for every other file and for itself."""
        names = {id(batch): name for rows in self._sealed.values() for batch, name in rows}
        seals = [
            files.seal_row(
                sealed.seal,
                sealed.id,
                [files.batch_row(batch, names[id(batch)]) for batch in sealed.batches],
            )
            for sealed in self._seals
        ]
        identity = self._ledger.identity
        manifest: Row = {
            "schema_version": files.SCHEMA_VERSION,
            "tool": f"evm-ledger {version('evm-ledger')}",
            "ledger_id": str(identity.ledger_id),
            "domain_separator": str(identity.domain),
            "chain_id": identity.chain_id,
            "chain_is_virtual": True,
            "registrar": str(identity.registrar),
            "created_at": identity.created_at,
            "assets": [asset.to_row() for asset in self._assets],
            "seals": seals,
            "files": {name: self._facts[name].to_row() for name in sorted(self._facts)},
        }
        with self._file(files.MANIFEST) as out:
            out.write(files.dump_manifest(files.with_checksum(manifest)))

    @contextmanager
    def _file(self, name: str) -> Iterator[_HashedFile]:
        """Open the file `name` for writing; its facts are kept when it is complete."""
        opened = (self._folder / name).open("xb")
        try:
            out = _HashedFile(opened)
            yield out
            out.end()
        finally:
            with suppress(OSError):  # what was to be written is on the disk, or an error is raised
                opened.close()
        self._facts[name] = FileFacts(out.size, out.rows, out.digest.hexdigest())


class _HashedFile:
    """A file that counts and hashes what is written to it."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened
        self._kept = bytearray()
        self.size = 0
        self.rows = 0
        self.digest = sha256()

    def write(self, data: bytes, rows: int = 1, values: Values | None = None) -> None:
        """Write `data`, which ends `rows` rows."""
        del values
        self._kept += data
        self.rows += rows
        if len(self._kept) >= _CHUNK:
            self._flush()

    def end(self) -> None:
        """Flush everything to the disk."""
        self._flush()
        try:
            self._opened.flush()
            os.fsync(self._opened.fileno())
        except OSError as error:
            raise _unwritten(error) from None

    def _flush(self) -> None:
        """Hash and write what was kept: lines are short, and each call costs."""
        try:
            self._opened.write(self._kept)
        except OSError as error:
            raise _unwritten(error) from None
        self.digest.update(self._kept)
        self.size += len(self._kept)
        self._kept.clear()


def _unwritten(error: OSError) -> BridgeError:
    """Return the error for a disk that takes no more."""
    return BridgeError(f"the export cannot be written ({error.strerror}): nothing is left of it")


def write_secrets(ledger: Ledger, path: Path) -> None:
    """Write the pepper to a new file that only its owner can read (mode 0600).

    Without it an imported ledger verifies everything, but opens no derived account.

    Raises:
        TargetExistsError: `path` is there already.
        BridgeError: the ledger was imported without its pepper, or the file cannot be written.
    """
    identity = ledger.identity
    if identity.pepper is None:
        raise BridgeError("this ledger was imported without its pepper: there are no secrets")
    secrets = {"ledger_id": str(identity.ledger_id), "pepper": str(identity.pepper)}
    write_new_file(path, json.dumps(secrets).encode() + b"\n", mode=0o600)


def _corrupt(sealed: SealedBatch) -> CorruptError:
    """Return the error for entries that are not those that were sealed."""
    batch = sealed.batch
    return CorruptError(
        f"{sealed.symbol}: what seal {sealed.seal} sealed is not "
        f"{spanned(batch.first_seq, batch.last_seq)} as stored: run "
        "`evm-ledger audit`, it names the row"
    )
