"""What every command shares: options, output for people and for programs, errors in one line."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from tqdm import tqdm

from ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ledger.results import Account, Asset, Balance, Entry, Sealed

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_DATABASE = "sqlite:///ledger.db"

EXIT_DIFFERS = 1
"""Audit found a wrong row, verify a mismatch, vectors a value that differs."""

EXIT_FAILED = 2
"""The command could not do its work; what was there is as it was."""


class Commands(click.Group):
    """A group whose commands end in one line, never a traceback, when something is refused."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's own type)
        """Run the command; turn the package's errors into a line and an exit code."""
        try:
            return super().invoke(ctx)
        except LedgerError as error:
            line = " ".join(str(error).split())
            click.echo(f"error: {line}", err=True)
            ctx.exit(EXIT_FAILED)


def database_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--database`."""
    return click.option(
        "--database",
        envvar="EVM_LEDGER_DATABASE",
        default=DEFAULT_DATABASE,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
    )(command)


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


def show(value: object, text: str, *, as_json: bool) -> None:
    """Print `value` as JSON, or `text` for people."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else text)


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> str:
    """Return rows in aligned columns under `header`."""
    cells = [tuple(header), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


@contextmanager
def progress(label: str, total: int | None, unit: str = "entry") -> Iterator[Callable[[int], None]]:
    """Give a function to call with how many are done; a bar on a terminal, quiet elsewhere."""
    with tqdm(
        total=total, desc=label, unit=f" {unit}", disable=None, delay=1, file=sys.stderr
    ) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance


def amount_json(asset: Asset, amount: int) -> dict[str, str]:
    """Return an amount as JSON has it: whole tokens and base units, both text."""
    return {"tokens": asset.format(amount), "base_units": str(amount)}


def account_json(account: Account) -> dict[str, object]:
    """Return an account as JSON has it."""
    return {
        "account_id": account.account_id,
        "address": str(account.address),
        "derived": account.derived,
        "registrar": str(account.registrar),
        "created_at": account.created_at,
    }


def balance_json(asset: Asset, balance: Balance) -> dict[str, object]:
    """Return a balance as JSON has it."""
    return {
        "asset": asset.symbol,
        "account_id": balance.account_id,
        "address": str(balance.address),
        **{
            name: amount_json(asset, getattr(balance, name))
            for name in ("balance", "available", "total_earned", "total_spent", "total_staked")
        },
    }


def entry_json(asset: Asset, entry: Entry) -> dict[str, object]:
    """Return an entry as JSON has it."""
    return {
        "asset": entry.asset,
        "seq": entry.seq,
        "id": str(entry.id),
        "head": str(entry.head),
        "time": entry.time.isoformat(),
        "timestamp": str(entry.timestamp),
        "from_account": entry.from_account,
        "to_account": entry.to_account,
        "amount": amount_json(asset, entry.amount),
        "balance_after_from": amount_json(asset, entry.balance_after_from),
        "balance_after_to": amount_json(asset, entry.balance_after_to),
        "reason": entry.reason,
        "reference_type": entry.reference_type,
        "reference_id": entry.reference_id,
        "memo": entry.memo,
        "idempotency_key": entry.idempotency_key,
        "group": str(entry.group),
        "kind": str(entry.kind),
        "repeated": entry.repeated,
    }


def sealed_json(sealed: Sealed) -> dict[str, object]:
    """Return a seal as JSON has it."""
    return {
        "number": sealed.seal.number,
        "id": str(sealed.id),
        "prev_seal": str(sealed.seal.prev_seal),
        "timestamp": str(sealed.seal.timestamp),
        "batches": [
            {
                "asset": batch.symbol,
                "number": batch.batch.number,
                "id": str(batch.id),
                "first_seq": batch.batch.first_seq,
                "last_seq": batch.batch.last_seq,
                "new_head": str(batch.batch.new_head),
                "tree_root": str(batch.batch.tree_root),
                "payload_hash": str(batch.batch.payload_hash),
            }
            for batch in sealed.batches
        ],
    }


def entry_line(asset: Asset, entry: Entry) -> str:
    """Return an entry for people, in one line."""
    again = " (already posted with this key)" if entry.repeated else ""
    return (
        f"{asset.format(entry.amount)} {asset.symbol}  {entry.from_account} -> {entry.to_account}"
        f"  seq {entry.seq}  id {entry.id}{again}"
    )
