"""Commands that set amounts aside: hold place, post, void, list, show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from ledger.cli_arguments import (
    dry_run_option,
    in_tokens,
    one_asset,
    post_one,
    read_duration,
    read_id,
    read_moment,
    show_done,
)
from ledger.console import (
    Commands,
    Database,
    asset_option,
    database_option,
    entry_options,
    example,
    json_option,
    show,
    show_rows,
)
from ledger.errors import FieldError
from ledger.model import HoldState
from ledger.requests import PlaceHold, PostHold, VoidHold
from ledger.views import entry_json, entry_line, hold_json, hold_line, hold_row, posted_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.ledger import Ledger
    from ledger.results import Asset, Hold

_WORDS: Final = ("reason", "reference_type", "reference_id", "memo")


@click.group("hold", cls=Commands)
def hold_group() -> None:
    """Set amounts aside, then post or void them."""


@hold_group.command(
    "place",
    short_help="Set AMOUNT of ACCOUNT_ID aside.",
    epilog=example(
        "evm-ledger hold place alice 12.5 --to bob --expires-in 2h",
        "evm-ledger hold place alice 5 --key cart-8 --expires-at 2100-01-31T12:00:00Z",
    ),
)
@click.argument("account_id")
@click.argument("amount")
@click.option("--to", "to_account", default="", metavar="ACCOUNT", help="Who gets it if posted.")
@click.option(
    "--expires-in",
    metavar="TIME",
    help="Release it 90s, 30m, 2h, 7d or 4w from now, by the clock of this machine.",
)
@click.option("--expires-at", metavar="TIME", help="Release it then: 2100-01-31T12:00:00Z.")
@entry_options
@dry_run_option
@asset_option
@database_option
@json_option
def hold_place(
    *,
    account_id: str,
    amount: str,
    to_account: str,
    expires_in: str | None,
    expires_at: str | None,
    key: str,
    dry_run: bool,
    asset: str | None,
    database: Database,
    as_json: bool,
    **words: str,
) -> None:
    """Set AMOUNT tokens of ACCOUNT_ID aside: they are its own but cannot be spent.

    That lasts until the hold is posted, voided or expired. Without --to, posting it names who
    gets it; without a time it never expires. With --key give its time as --expires-at.
    """
    expiry = _expiry(expires_in, expires_at, key)
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        base_units = counted.parse(amount)
        item = PlaceHold(
            account_id, base_units, to_account, counted.symbol, expiry, **words, idempotency_key=key
        )
        with in_tokens(counted):
            receipt = post_one(ledger, item, dry_run=dry_run)
        assert receipt.hold is not None  # noqa: S101 (for mypy: a hold that was placed is there)
        hold = receipt.hold
        again = " (already placed with this key)" if receipt.repeated else ""
        line = hold_line(counted, hold)
        value = {**hold_json(counted, hold), "repeated": receipt.repeated}
        text = f"{line}{again}" if dry_run else f"{line}{again}\nid {hold.id}"
        done = f"{'already ' if receipt.repeated else ''}held: id {hold.id}"
        show_done(value, text, done=done, dry_run=dry_run, as_json=as_json)


def _expiry(expires_in: str | None, expires_at: str | None, key: str) -> datetime | None:
    """Return when a hold expires; None for never. Raises FieldError."""
    if expires_in is None:
        return None if expires_at is None else read_moment(expires_at, "expires_at")
    if expires_at is not None:
        raise FieldError("expires_in", "name one of --expires-in and --expires-at")
    if key:
        advice = "with --key give --expires-at, so that a repeat asks for the same"
        raise FieldError("expires_in", advice)
    try:
        return datetime.now(UTC) + read_duration(expires_in, "expires_in")
    except OverflowError:
        raise FieldError("expires_in", f"{expires_in} ends after the year 9999") from None


@hold_group.command(
    "post",
    short_help="Post a hold, whole or in part.",
    epilog=example(
        "evm-ledger hold post $HOLD --amount 7.5 --keep-rest", "evm-ledger hold post $HOLD"
    ),
)
@click.argument("hold_id")
@click.option("--amount", metavar="AMOUNT", help="A part of it.  [default: all that is held]")
@click.option("--keep-rest", is_flag=True, help="Keep the rest held, instead of releasing it.")
@click.option("--to", "to_account", default="", metavar="ACCOUNT", help="Who gets it, if open.")
@entry_options
@dry_run_option
@database_option
@json_option
def hold_post(
    *,
    hold_id: str,
    amount: str | None,
    keep_rest: bool,
    to_account: str,
    key: str,
    dry_run: bool,
    database: Database,
    as_json: bool,
    **words: str,
) -> None:
    """Pay out what the hold HOLD_ID sets aside, as an entry of kind `hold`.

    With --amount the rest is released, or stays held with --keep-rest. Words that are not given
    are the hold's.
    """
    wanted = read_id(hold_id, "hold")
    with database.open() as ledger:
        asset = ledger.asset(ledger.find_hold(wanted).asset)
        part = None if amount is None else asset.parse(amount)
        item = PostHold(wanted, part, keep_rest, to_account, **words, idempotency_key=key)
        with in_tokens(asset):
            receipt = post_one(ledger, item, dry_run=dry_run)
        assert receipt.hold is not None  # noqa: S101 (for mypy: a hold that was posted is there)
        [entry], hold = receipt.entries, receipt.hold
        value = {"entry": entry_json(asset, entry), "hold": hold_json(asset, hold)}
        rest = f"\nstill held: {asset.format(hold.remaining)} {asset.symbol}"
        text = entry_line(asset, entry, dry_run=dry_run) + (rest if hold.remaining else "")
        show_done(value, text, done=posted_line(entry), dry_run=dry_run, as_json=as_json)


@hold_group.command(
    "void",
    short_help="Release a hold.",
    epilog=example("evm-ledger hold void $HOLD"),
)
@click.argument("hold_id")
@click.option("--key", default="", metavar="TEXT", help="Idempotency key.")
@dry_run_option
@database_option
@json_option
def hold_void(*, hold_id: str, key: str, dry_run: bool, database: Database, as_json: bool) -> None:
    """Release what the hold HOLD_ID still sets aside: its account can spend it again."""
    wanted = read_id(hold_id, "hold")
    with database.open() as ledger:
        asset = ledger.asset(ledger.find_hold(wanted).asset)
        receipt = post_one(ledger, VoidHold(wanted, key), dry_run=dry_run)
        assert receipt.hold is not None  # noqa: S101 (for mypy: a hold that was voided is there)
        again = " (already voided with this key)" if receipt.repeated else ""
        line = hold_line(asset, receipt.hold) + again
        value = {**hold_json(asset, receipt.hold), "repeated": receipt.repeated}
        done = f"voided: id {wanted}"
        show_done(value, line, done=done, dry_run=dry_run, as_json=as_json)


@hold_group.command(
    "list",
    short_help="List holds, the oldest first.",
    epilog=example("evm-ledger hold list", "evm-ledger hold list --account alice --state expired"),
)
@click.option("--account", metavar="ACCOUNT_ID", help="Only those of this account.")
@click.option(
    "--state",
    type=click.Choice([*map(str, HoldState), "all"]),
    default=str(HoldState.PENDING),
    show_default=True,
    metavar="STATE",
    help="Only those pending, posted, voided or expired; or all.",
)
@click.option("--asset", metavar="SYMBOL", help="Only those of this asset.")
@database_option
@json_option
def hold_list(
    *, account: str | None, state: str, asset: str | None, database: Database, as_json: bool
) -> None:
    """List holds, the oldest first.

    One whose time has come stays pending until something is posted to its asset; from its time
    on it can no longer be posted.
    """
    with database.open() as ledger:
        counted = None if asset is None else ledger.asset(asset)
        show_rows(
            _holds(ledger, account, counted, None if state == "all" else HoldState(state)),
            ("since", "asset", "account", "to", "amount", "held", "state", "expires", "id"),
            row=lambda pair: hold_row(*pair),
            value=lambda pair: hold_json(*pair),
            none="no holds" if state == "all" else f"no holds are {state}",
            as_json=as_json,
        )


def _holds(
    ledger: Ledger, account: str | None, asset: Asset | None, state: HoldState | None
) -> Iterator[tuple[Asset, Hold]]:
    """Return holds with their assets: of one asset, or asset after asset."""
    if account is not None:
        ledger.account(account)  # where there is no asset yet, a wrong name is wrong all the same
    for counted in ledger.assets() if asset is None else [asset]:
        for hold in ledger.holds(account, counted.symbol, state=state):
            yield counted, hold


@hold_group.command("show", short_help="Show a hold.", epilog=example("evm-ledger hold show $HOLD"))
@click.argument("hold_id")
@database_option
@json_option
def hold_show(*, hold_id: str, database: Database, as_json: bool) -> None:
    """Show the hold HOLD_ID: what it set aside, for whom, and what became of it."""
    wanted = read_id(hold_id, "hold")
    with database.open() as ledger:
        hold = ledger.find_hold(wanted)
        asset = ledger.asset(hold.asset)
    value = hold_json(asset, hold)
    lines = [hold_line(asset, hold), f"id {hold.id}"]
    if hold.remaining != hold.amount:
        lines.append(f"first held: {asset.format(hold.amount)} {asset.symbol}")
    lines += [f"since {value['created_at']}, changed {value['updated_at']}"]
    lines += [f"{name.replace('_', ' ')} {value[name]}" for name in _WORDS if value[name]]
    show(value, "\n".join(lines), as_json=as_json)
