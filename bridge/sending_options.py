"""What a command that sends transactions is told: what gas may cost, and how long is waited."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import click
from click.core import ParameterSource

from bridge.console import PATH
from bridge.fees import FeePolicy
from bridge.outbox_file import OutboxFile
from bridge.patience import Patience
from bridge.tracking import Confirmed
from ledger import Ledger
from ledger.amounts import parse_amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.tracking import Grade

R = TypeVar("R")

_GWEI: Final = 9
_AGAIN: Final = 30.0
"""Seconds after which the same kind of message is shown once more."""


def fee_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what gas may cost and how long is waited; the command gets `fees` and `patience`."""

    @wraps(command)
    def sending(
        *,
        max_fee: int | None,
        priority_fee: int | None,
        replace_after: float,
        give_up_after: float,
        **options: object,
    ) -> R:
        for name, seconds in (("replace-after", replace_after), ("give-up-after", give_up_after)):
            if not isfinite(seconds):
                raise click.BadParameter(f"{seconds} is no number of seconds", param_hint=name)
        fees = FeePolicy(max_fee, priority_fee)
        patience = Patience(replace_after=replace_after, give_up_after=give_up_after)
        return command(fees=fees, patience=patience, **options)

    default = Patience()
    seconds = click.FloatRange(min=0, min_open=True)
    sending = click.option(
        "--give-up-after",
        type=seconds,
        default=default.give_up_after,
        show_default=True,
        metavar="SECONDS",
        help="End when nothing was mined for so long; the next run goes on.",
    )(sending)
    sending = click.option(
        "--replace-after",
        type=seconds,
        default=default.replace_after,
        show_default=True,
        metavar="SECONDS",
        help="Offer an eighth more for a transaction that is not mined by then.",
    )(sending)
    sending = click.option(
        "--priority-fee",
        callback=_wei,
        metavar="GWEI",
        help="Offered to who makes the block.  [default: what the node suggests]",
    )(sending)
    return click.option(
        "--max-fee",
        callback=_wei,
        metavar="GWEI",
        help="No transaction offers more for a gas.  [default: ten times what it costs at first]",
    )(sending)


def depth_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add how deep in the chain everything must be at the end; the command gets `confirmed`."""

    @wraps(command)
    def waiting(*, wait_for: str, confirmations: int, **options: object) -> R:
        is_given = wait_for != "mined" or confirmations > 1
        confirmed = Confirmed(confirmations, cast("Grade", wait_for))
        return command(confirmed=confirmed if is_given else None, **options)

    waiting = click.option(
        "--confirmations",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        metavar="N",
        help="At the end wait until the last batch is N blocks deep, its own among them.",
    )(waiting)
    return click.option(
        "--wait-for",
        type=click.Choice(["mined", "safe", "finalized"]),
        default="mined",
        show_default=True,
        help="At the end wait until the chain calls the last batch's block that.",
    )(waiting)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Where a command that needs no ledger stores what it signs."""

    file: Path | None
    database: str | None = None

    def open(self) -> Ledger | OutboxFile:
        """Open it; a file is made if it is not there.

        Raises:
            OutboxFileError, DatabaseFileError: nothing can be stored there.
        """
        if self.database is not None:
            return Ledger.open(self.database)
        return OutboxFile.open(self.file or default_outbox())


def default_outbox() -> Path:
    """Return where a person's outbox is: with what else programs remember (XDG_STATE_HOME)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return folder / "evm-ledger" / "outbox.db"


def outgoing_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add where what is signed is stored; the command gets it as `outgoing`."""

    @wraps(command)
    def storing(*, outbox: Path | None, database: str | None, **options: object) -> R:
        return command(outgoing=_outgoing(outbox, database), **options)

    storing = click.option(
        "--database",
        envvar="EVM_LEDGER_DATABASE",
        show_envvar=True,
        metavar="URL",
        help="Store it in this ledger instead, if one key sends claims and the ledger's batches.",
    )(storing)
    return click.option(
        "--outbox",
        type=PATH,
        envvar="EVM_LEDGER_OUTBOX",
        show_envvar=True,
        metavar="FILE",
        help="What is signed is stored here before it is sent, and the next run goes on from it.  "
        "[default: ~/.local/state/evm-ledger/outbox.db]",
    )(storing)


def _outgoing(outbox: Path | None, database: str | None) -> Outgoing:
    """Return the store that was named: on the command line before the environment."""
    source = click.get_current_context().get_parameter_source
    typed = [it for it in ("outbox", "database") if source(it) is ParameterSource.COMMANDLINE]
    if len(typed) > 1:
        raise click.UsageError("it is stored in one place: give --outbox or --database")
    if outbox is not None and typed != ["database"]:
        return Outgoing(outbox)
    return Outgoing(None, database)


class Teller:
    """Says on stderr what is being waited for: what is new at once, the same again in a while."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._said: dict[str, float] = {}

    def __call__(self, message: str) -> None:
        """Show `message`, unless one that begins alike was shown just now."""
        now = time.monotonic()
        kind = message[:30]
        if sys.stderr is not None and now - self._said.get(kind, -_AGAIN) >= _AGAIN:
            self._said[kind] = now
            click.echo(message, err=True)


def _wei(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Return the wei of a number of gwei."""
    del context
    return None if text is None else parse_amount(text, _GWEI, str(parameter.opts[0]))
