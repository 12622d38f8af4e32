"""What every command shares: the program, its options, output, errors in one line, bars."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import chain, islice
from textwrap import indent
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from click.exceptions import NoArgsIsHelpError
from tqdm import tqdm

from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.views import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ledger.model import Address

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

DEFAULT_DATABASE = "sqlite:///ledger.db"

EXIT_DIFFERS = 1
"""Audit found a wrong row, verify a mismatch, vectors a value that differs."""

EXIT_FAILED = 2
"""The command could not do its work; what was there is as it was."""

EXIT_INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""

EXIT_PIPE = 141
"""Whoever read the output has gone, as shells count it: 128 + SIGPIPE."""

_PAGE = 200
"""Rows of a table by which its columns are made wide enough; the rest streams."""

_MIN_LOCK_TIMEOUT, _MAX_LOCK_TIMEOUT = 0.001, 86_400.0


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

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's own type)
        """Run the command; turn what the package and the system refuse into a line."""
        try:
            return super().invoke(ctx)
        except LedgerError as error:
            ctx.exit(fail(str(error)))
        except BrokenPipeError:
            _drop_output()
            ctx.exit(EXIT_PIPE)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            ctx.exit(fail(f"{where}{error.strerror or error}"))


def fail(message: str) -> int:
    """Say `message` in one line, on the error stream; return the exit code."""
    line = one_line(" ".join(message.split()))
    click.echo(_encodable(f"error: {line}", sys.stderr.encoding), err=True)
    return EXIT_FAILED


def _refused(error: click.ClickException) -> int:
    """Say what is wrong with a command line: the help where it is empty, a line where not."""
    if isinstance(error, NoArgsIsHelpError):
        error.show()
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


def _drop_output() -> None:
    """Send what is still buffered nowhere: at exit Python would complain about the closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def example(*lines: str) -> str:
    """Return the end of a command's help: how it is used."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


# --- options ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Database:
    """Where a command finds its ledger."""

    url: str
    lock_timeout: float | None

    def open(self) -> Ledger:
        """Open the ledger that is there."""
        return Ledger.open(self.url, lock_timeout=self.lock_timeout)

    def create(self, registrar: Address | None) -> Ledger:
        """Make a new ledger."""
        return Ledger.create(self.url, registrar=registrar, lock_timeout=self.lock_timeout)


def url_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--database` as a URL."""
    return click.option(
        "--database",
        envvar="EVM_LEDGER_DATABASE",
        default=DEFAULT_DATABASE,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
    )(command)


def database_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add `--database` and `--lock-timeout`; the command gets both as one `Database`."""

    @url_option
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


def show(value: object, text: str, *, as_json: bool) -> None:
    """Print `value` as JSON, or `text` for people."""
    if as_json:
        click.echo(_json(value))
    else:
        say(text)


def say(text: str) -> None:
    """Print lines for people, whatever the terminal can encode."""
    lines = "\n".join(one_line(line) for line in text.split("\n"))
    click.echo(_encodable(lines, sys.stdout.encoding))


def show_rows(
    items: Iterable[T],
    header: Sequence[str],
    *,
    row: Callable[[T], Sequence[object]],
    value: Callable[[T], object],
    none: str,
    as_json: bool,
) -> None:
    """Print `items`, one after the other: a JSON list of `value`s, or a table of `row`s.

    Only the first rows are held: they make the columns wide enough. `none` is said of no items.
    """
    if as_json:
        _show_list(items, value)
        return
    rows = (tuple(one_line(str(cell)) for cell in row(item)) for item in items)
    page = list(islice(rows, _PAGE))
    if not page:
        say(none)
        return
    cells = [tuple(header), *page]
    widths = [max(_width(line[column]) for line in cells) for column in range(len(header))]
    for line in chain(cells, rows):
        say(_aligned(line, widths))


def _show_list(items: Iterable[T], value: Callable[[T], object]) -> None:
    """Print a JSON list, an item at a time."""
    before = "[\n"
    for item in items:
        click.echo(before + indent(_json(value(item)), "  "), nl=False)
        before = ",\n"
    click.echo("[]" if before == "[\n" else "\n]")


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return `cells` in columns of `widths`."""
    pairs = zip(cells, widths, strict=True)
    return "  ".join(cell + " " * (width - _width(cell)) for cell, width in pairs).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in {"W", "F"} for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _json(value: object) -> str:
    """Return JSON that the output can encode."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=2)
    return text


def _encodable(text: str, encoding: str) -> str:
    """Return `text` with what `encoding` lacks as escapes."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def progress(
    label: str, total: int | None, unit: str = "entries"
) -> Iterator[Callable[[int], None]]:
    """Give a function to call with how many are done; a bar on a terminal, quiet elsewhere."""
    with tqdm(
        total=total,
        desc=label,
        unit=f" {unit}",
        disable=None,
        delay=1,
        leave=False,
        file=sys.stderr,
    ) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance
