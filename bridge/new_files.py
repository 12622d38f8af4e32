"""Files and folders that are at their target whole or not at all; nothing is ever overwritten.

Each is made under another name beside its target (`.NAME.PID.partial`), flushed to the disk, and
put there in one step. What a killed program left behind, the next one for the same target removes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from bridge.errors import BridgeError, TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_new_file(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write `content` to the new file `target`, with `mode` less the umask.

    Raises:
        TargetExistsError: `target` is there already.
        BridgeError: it cannot be written.
    """
    partial = _partial(target)
    try:
        _sweep(target)
        opened = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with suppress(OSError):  # some file systems have no locks
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(opened, content)
            os.fsync(opened)
            _link(partial, target)
        finally:
            partial.unlink(missing_ok=True)
            os.close(opened)
        sync_folder(target.parent)
    except FileExistsError:
        raise TargetExistsError(f"{target} exists; name another file") from None
    except OSError as error:
        raise BridgeError(f"{target} cannot be written: {error.strerror}") from None


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Make a folder that is at `target` once everything inside went well, and nowhere before.

    Raises:
        TargetExistsError: `target` is there already.
        BridgeError: it cannot be made.
    """
    if target.exists() or target.is_symlink():
        raise TargetExistsError(f"{target} is there already: give a new name")
    partial = _partial(target)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, partial, ignore_errors=True)  # on Ctrl-C too
        try:
            _sweep(target)
            partial.mkdir()
            held, _ = _lock(partial)
        except OSError as error:
            raise BridgeError(f"{target} cannot be made ({error.strerror})") from None
        stack.callback(os.close, held)
        yield partial
        _put(partial, target)


def sync_folder(folder: Path) -> None:
    """See to it that the names in `folder` outlive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _partial(target: Path) -> Path:
    """Return where a target is made."""
    return target.parent / f".{target.name}.{os.getpid()}.partial"


def _put(partial: Path, target: Path) -> None:
    """Put a whole folder where it belongs; its files are on the disk already."""
    try:
        for folder in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
            sync_folder(folder)
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        if partial.exists() and target.exists():
            raise TargetExistsError(f"{target} is there by now: give a new name") from None
        raise BridgeError(f"{target} cannot be made ({error.strerror})") from None


def _write(opened: int, content: bytes) -> None:
    """Write all of `content`."""
    left = memoryview(content)
    while left:
        left = left[os.write(opened, left) :]


def _link(partial: Path, target: Path) -> None:
    """Give a whole file its name, unless something has it."""
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists() or target.is_symlink():
            raise FileExistsError from None
        partial.rename(target)


def _lock(path: Path) -> tuple[int, bool]:
    """Open what is being made and lock it until it is closed; the lock ends with its process.

    Return the descriptor to close, and whether there is a lock: some file systems have none.

    Raises:
        BlockingIOError: a program that runs has the lock.
    """
    held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise
    except OSError:
        return held, False
    return held, True


def _sweep(target: Path) -> None:
    """Remove what programs left behind that were killed while they made `target`."""
    left = re.compile(rf"\.{re.escape(target.name)}\.[0-9]+\.partial")
    for path in target.parent.iterdir():
        if left.fullmatch(path.name):
            with suppress(OSError):  # it is in use, or gone by now
                held, is_locked = _lock(path)
                if is_locked:
                    _remove(path)
                os.close(held)


def _remove(path: Path) -> None:
    """Remove a folder with what is in it, or a file."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
