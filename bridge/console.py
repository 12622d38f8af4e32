"""What the bridge's commands share: bars, reports as JSON, how nodes and wallets are met."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from bridge.batches import (
    BLOCK_GAS,
    ETHEREUM,
    SMALLEST_BLOCK,
    SMALLEST_BYTES,
    SMALLEST_GAS,
    TRANSACTION_BYTES,
    TRANSACTION_GAS_CAP,
    Limits,
)
from bridge.chain import Chain
from bridge.errors import KeyFileError
from bridge.links import check_contract_link
from bridge.opened import open_export
from bridge.plan_rules import RULES
from ledger.console import progress
from ledger.weights import MAX_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.progress import Progress, ReportProgress
    from ledger import Ledger
    from ledger.console import Database
    from ledger.links import Link
    from ledger.model import Address, Hash32

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_RPC: Final = "http://127.0.0.1:8545"

PATH: Final = click.Path(path_type=Path)

_TYPED: Final = ParameterSource.COMMANDLINE
"""An option that somebody wrote; a variable of the environment may stand for every command."""


@contextmanager
def bars() -> Iterator[ReportProgress]:
    """Give a progress function that draws one bar a step, on a terminal only."""
    with ExitStack() as stack:
        step, done = "", 0
        advance: Callable[..., None] = lambda *_: None  # noqa: E731 (until the first step)

        def report(now: Progress) -> None:
            nonlocal step, done, advance
            if now.step != step:
                stack.close()
                step, done = now.step, 0
                advance = stack.enter_context(progress(step, now.total))
            advance(now.done - done, now.note)
            done = now.done

        yield report


def fields_json(value: Any) -> dict[str, Any]:  # noqa: ANN401 (any frozen dataclass)
    """Return a dataclass as JSON has it: bytes and hashes as 0x text."""
    return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}


def _plain(value: object) -> object:
    """Return a field as JSON has it."""
    return value if value is None or isinstance(value, int | str | bool) else str(value)


def rpc_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what reaches a node."""
    command = click.option(
        "--chain-id", type=int, help="Refuse a node that serves another chain than this."
    )(command)
    return click.option(
        "--rpc",
        envvar="EVM_LEDGER_RPC",
        default=DEFAULT_RPC,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="The node's JSON-RPC.",
    )(command)


def limit_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what one transaction may have on the chain; the command gets it as `limits`."""

    @wraps(command)
    def limited(
        *, gas_cap: int, max_logs: int, max_bytes: int, block_gas: int, **options: object
    ) -> R:
        return command(limits=Limits(gas_cap, max_logs, max_bytes, block_gas), **options)

    limited = click.option(
        "--block-gas",
        type=click.IntRange(min=SMALLEST_BLOCK),
        default=BLOCK_GAS,
        show_default=True,
        metavar="N",
        help="The most gas in a block.",
    )(limited)
    for name, least, most, what in (
        ("--max-bytes", SMALLEST_BYTES, TRANSACTION_BYTES, "The largest signed transaction."),
        ("--max-logs", 1, MAX_ENTRIES, "The most entries in a transaction."),
        ("--gas-cap", SMALLEST_GAS, TRANSACTION_GAS_CAP, "The most gas in a transaction."),
    ):
        allowed = click.IntRange(least, most)
        limited = click.option(
            name, type=allowed, default=most, show_default=True, metavar="N", help=what
        )(limited)
    return limited


def rules_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add by which rules the chain charges gas; the command gets them in its `limits`."""

    @wraps(command)
    def ruled(*, rules: str, limits: Limits = ETHEREUM, **options: object) -> R:
        return command(limits=replace(limits, rules=RULES[rules]), **options)

    return click.option(
        "--rules",
        type=click.Choice(list(RULES)),
        default="today",
        show_default=True,
        help="What the chain charges gas for: planned is EIP-7976/8037 as drafted (docs/plan.md).",
    )(ruled)


@contextmanager
def connected(
    rpc: str, chain_id: int | None, *, keyless: bool = False, whose: str = "the operator's"
) -> Iterator[Chain]:
    """Give a connection to the node; without a key (`whose`?), to a local test chain only.

    Raises:
        KeyFileError: the test key would sign on a chain that is worth something.
        ChainError: the node does not answer, or serves another chain.
    """
    with Chain.connect(rpc, expected_chain_id=chain_id) as chain:
        if keyless and not chain.is_local_test:
            raise KeyFileError(
                f"chain {chain.chain_id} is no local test chain: give {whose} --keystore "
                "or --remote-signer"
            )
        yield chain


def ask_wallet(
    rpc: str, ledger_id: Hash32, account_id: str, address: Address, signature: bytes
) -> Link:
    """Return the link that a contract wallet agreed to, through the node at `rpc`.

    Raises:
        As `check_contract_link`.
    """
    with connected(rpc, None) as chain:
        return check_contract_link(chain, ledger_id, account_id, address, signature)


@contextmanager
def named_ledger(
    context: click.Context, database: Database, folder: Path | None, progress: ReportProgress
) -> Iterator[Ledger]:
    """Give the ledger of the database, or of the export in `folder`.

    Raises:
        UsageError: both were written.
    """
    if folder is None:
        with database.open() as ledger:
            yield ledger
        return
    if context.get_parameter_source("database") is _TYPED:
        raise click.UsageError("--export and --database name two ledgers: give one of them")
    with open_export(folder, progress=progress) as ledger:
        yield ledger
