"""What every command shares: the program, its options, output, errors in one line, bars."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from itertools import chain, islice
from textwrap import indent
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from click.exceptions import Exit, NoArgsIsHelpError
from tqdm import tqdm

from ledger.engine import without_password
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.views import aligned, columns, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from ledger.model import Address

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

DEFAULT_DATABASE = "sqlite:///ledger.db"

EXIT_DIFFERS = 1
"""Audit found a wrong row, verify a mismatch, vectors a value that differs."""

EXIT_FAILED = 2
"""The command could not do its work; what was there is as it was."""

EXIT_UNSEEN = 3
"""The command did its work, but what it printed is lost: to run it again would do it twice."""

EXIT_INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""

EXIT_PIPE = 141
"""Whoever read the output has gone and nothing was changed, as shells count it: 128 + SIGPIPE."""

_PAGE = 200
"""Rows of a table by which its columns are made wide enough; the rest streams."""

_MIN_LOCK_TIMEOUT, _MAX_LOCK_TIMEOUT = 0.001, 86_400.0


class OutputError(Exception):
    """The output cannot be written. `done` is what the command has changed, in a line, or empty."""

    def __init__(self, cause: OSError, done: str) -> None:
        """Stop because of `cause`."""
        super().__init__(cause.strerror or str(cause))
        self.done = done
        self.is_pipe = isinstance(cause, BrokenPipeError)


# --- the program -----------------------------------------------------------------------------


class Commands(click.Group):
    """A group that lists its commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in order of definition."""
        del ctx
        return list(self.commands)


class Program(Commands):
    """The whole command line: whatever goes wrong ends in one line and an exit code."""

    group_class = Commands

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 (click's own signature)
        **extra: Any,  # noqa: ANN401 (click's own type)
    ) -> Any:  # noqa: ANN401 (click's own type)
        """Run the command line; in standalone mode (a shell's), end the process."""
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            code = EXIT_INTERRUPTED
        except click.ClickException as error:
            if not standalone_mode:
                raise
            code = _refused(error)
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 (click's own type)
    ) -> click.Context:
        """Read the command line; --help and --version print here."""
        with _in_a_line():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's own type)
        """Run the command."""
        with _in_a_line():
            return super().invoke(ctx)


@contextmanager
def _in_a_line() -> Iterator[None]:
    """Turn what the package and the system refuse into a line and an exit code."""
    try:
        yield
    except LedgerError as error:
        raise Exit(fail(str(error))) from None
    except OutputError as error:
        raise Exit(_lost(error)) from None
    except BrokenPipeError:
        _drop(sys.stdout)
        raise Exit(EXIT_PIPE) from None
    except OSError as error:
        if error.filename is None:  # perhaps the output's: Python must not try it again at its end
            _drop(sys.stdout)
        where = f"{error.filename}: " if error.filename else ""
        raise Exit(fail(f"{where}{error.strerror or error}")) from None


def fail(message: str) -> int:
    """Say `message` in one line, on the error stream; return the exit code."""
    _complain(f"error: {message}")
    return EXIT_FAILED


def _lost(error: OutputError) -> int:
    """Say that the output is lost and what was done all the same; return the exit code."""
    _drop(sys.stdout)
    if error.done:
        _complain(f"{error.done}; do not run it again, only its output is lost ({error})")
        return EXIT_UNSEEN
    return EXIT_PIPE if error.is_pipe else fail(f"the output cannot be written ({error})")


def _complain(message: str) -> None:
    """Say `message` in one line, on the error stream."""
    _to_stderr(one_line(" ".join(message.split())))


def _to_stderr(text: str) -> None:
    """Print `text` on the error stream; where there is none, the exit code has to do."""
    try:
        click.echo(_encodable(text, _encoding(sys.stderr)), err=True)
    except OSError:
        _drop(sys.stderr)


def _refused(error: click.ClickException) -> int:
    """Say what is wrong with a command line: the help where it is empty, a line where not."""
    if isinstance(error, NoArgsIsHelpError):
        _to_stderr(error.format_message())
        return EXIT_FAILED
    return fail(_usage(error))


def _usage(error: click.ClickException) -> str:
    """Return what is wrong with a command line, and where to read how it should be."""
    message = error.format_message().strip().rstrip(".")
    message = message[:1].lower() + message[1:]
    path = "evm-ledger"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        path = error.ctx.command_path
    if isinstance(error, click.NoSuchOption) and error.option_name[1:2].isdigit():
        message = "an amount is a plain decimal like 12.5, never negative"
    elif isinstance(error, click.NoSuchOption) and not error.possibilities:
        message += " (what starts with - and is no option comes after --)"
    return f"{message}; see {path} --help"


def _drop(stream: TextIO | None) -> None:
    """Send what `stream` still holds nowhere: at exit Python would fail to write it once more."""
    if stream is not None:
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (no path)
            os.dup2(nowhere.fileno(), stream.fileno())


def _encoding(stream: TextIO | None) -> str:
    """Return how `stream` encodes; Python has None for one that the shell closed."""
    return "utf-8" if stream is None else stream.encoding


def example(*lines: str) -> str:
    """Return the end of a command's help: how it is used."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


# --- options ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Database:
    """Where a command finds its ledger."""

    url: str
    lock_timeout: float | None

    def __str__(self) -> str:
        return without_password(self.url)

    def open(self) -> Ledger:
        """Open the ledger that is there."""
        return Ledger.open(self.url, lock_timeout=self.lock_timeout)

    def create(self, registrar: Address | None) -> Ledger:
        """Make a new ledger."""
        return Ledger.create(self.url, registrar=registrar, lock_timeout=self.lock_timeout)


def database_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add `--database` and `--lock-timeout`; the command gets both as one `Database`."""

    @click.option(
        "--database",
        envvar="EVM_LEDGER_DATABASE",
        default=DEFAULT_DATABASE,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
    )
    @click.option(
        "--lock-timeout",
        type=float,
        callback=_checked_timeout,
        metavar="SECONDS",
        help="How long to wait for another writer.  [default: 60; PostgreSQL 10]",
    )
    @wraps(command)
    def run(*, database: str, lock_timeout: float | None, **options: Any) -> R:  # noqa: ANN401 (click passes options by name)
        return command(database=Database(database, lock_timeout), **options)

    return run


def _checked_timeout(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    """Return `seconds` if a database can wait as long."""
    if seconds is not None and not _MIN_LOCK_TIMEOUT <= seconds <= _MAX_LOCK_TIMEOUT:
        raise click.BadParameter(
            f"must be within {_MIN_LOCK_TIMEOUT} .. {_MAX_LOCK_TIMEOUT:.0f} seconds"
        )
    return seconds


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON; amounts are strings."
    )(command)


def asset_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--asset`."""
    return click.option(
        "--asset", metavar="SYMBOL", help="Needed once the ledger has several assets."
    )(command)


def entry_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what every posting can carry."""
    texts = {
        "--reason": "Why, such as earn:debate.",
        "--reference-type": "What it belongs to, such as debate_session.",
        "--reference-id": "Which one.",
        "--memo": "Free text, at most 4,096 bytes.",
        "--key": "Idempotency key: the same key and request posts once, however often it is run.",
    }
    for name, text in reversed(texts.items()):
        command = click.option(name, default="", metavar="TEXT", help=text)(command)
    return command


# --- output ----------------------------------------------------------------------------------


def show(value: object, text: str, *, as_json: bool, done: str = "") -> None:
    """Print `value` as JSON, or `text` for people.

    `done` names, in a line, what the command has changed: it is said if nothing can be printed.
    """
    if as_json:
        write(_json(value), done=done)
    else:
        say(text, done=done)


def say(text: str, *, done: str = "") -> None:
    """Print lines for people, whatever the terminal can encode."""
    lines = "\n".join(one_line(line) for line in text.split("\n"))
    write(_encodable(lines, _encoding(sys.stdout)), done=done)


def write(text: str, *, done: str = "", nl: bool = True) -> None:
    """Write `text` at once. Raises OutputError."""
    if sys.stdout is None:
        raise OutputError(OSError(errno.EBADF, os.strerror(errno.EBADF)), done)
    try:
        click.echo(text, nl=nl)  # which flushes: nothing is left to fail when Python ends
    except OSError as error:
        raise OutputError(error, done) from None


def show_rows(
    items: Iterable[T],
    header: Sequence[str],
    *,
    row: Callable[[T], Sequence[object]],
    value: Callable[[T], object],
    none: str,
    as_json: bool,
    done: str = "",
) -> None:
    """Print `items`, one after the other: a JSON list of `value`s, or a table of `row`s.

    Only the first rows are held: they make the columns wide enough. `none` is said of no items,
    `done` as by `show`.
    """
    if as_json:
        _show_list(items, value, done)
        return
    rows = (tuple(one_line(str(cell)) for cell in row(item)) for item in items)
    page = list(islice(rows, _PAGE))
    if not page:
        say(none, done=done)
        return
    cells = [tuple(header), *page]
    widths = [max(columns(line[column]) for line in cells) for column in range(len(header))]
    for line in chain(cells, rows):
        say(aligned(line, widths), done=done)


def _show_list(items: Iterable[T], value: Callable[[T], object], done: str) -> None:
    """Print a JSON list, an item at a time."""
    before = "[\n"
    for item in items:
        write(before + indent(_json(value(item)), "  "), done=done, nl=False)
        before = ",\n"
    write("[]" if before == "[\n" else "\n]", done=done)


def _json(value: object) -> str:
    """Return JSON that the output can encode."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(_encoding(sys.stdout))
    except UnicodeEncodeError:
        return json.dumps(value, indent=2)
    return text


def _encodable(text: str, encoding: str) -> str:
    """Return `text` with what `encoding` lacks as escapes."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def progress(label: str, total: int | None, unit: str = "entries") -> Iterator[Callable[..., None]]:
    """Give a function to call with how many are done; a bar on a terminal, quiet elsewhere.

    What else there is to say may follow, such as what it cost; the bar has the time that is left.
    """
    with tqdm(
        total=total,
        desc=label,
        unit=f" {unit}",
        disable=True if sys.stderr is None else None,  # None: a bar on a terminal only
        delay=1,
        leave=False,
        file=sys.stderr,
    ) as bar:

        def advance(count: int, note: str = "") -> None:
            bar.set_postfix_str(note, refresh=False)
            bar.update(count)

        yield advance
