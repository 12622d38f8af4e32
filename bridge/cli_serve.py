"""The commands of the HTTP API: serve, and the keys that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.console import (
    Commands,
    Database,
    database_option,
    example,
    json_option,
    show,
    show_rows,
)
from ledger.errors import LedgerError
from ledger.times import parse_moment
from ledger.views import time_text

if TYPE_CHECKING:
    from bridge.api.keys import ApiKey

_SCOPES = ("read", "post", "admin")


class ExtraMissingError(LedgerError):
    """FastAPI and uvicorn are not installed."""


def _check_extra() -> None:
    """Raise ExtraMissingError, which says what to install."""
    try:
        import fastapi  # noqa: F401, PLC0415 (only whether it is there)
        import uvicorn  # noqa: F401, PLC0415 (same)
    except ImportError:
        raise ExtraMissingError(
            "the HTTP API needs the extra `api`: pip install 'evm-ledger[api]'"
        ) from None


@click.command(
    short_help="Serve the HTTP API.",
    epilog=example(
        "evm-ledger serve --open-reads",
        "evm-ledger serve --host 0.0.0.0 --port 80 --database $URL",
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="0: a free one."
)
@click.option("--open-reads", is_flag=True, help="Let everybody read without a key.")
@click.option(
    "--rate",
    default=100.0,
    show_default=True,
    help="Requests a second for one key (without one: one host), on average.",
)
@click.option(
    "--burst", default=200, show_default=True, help="Requests at once for one key or host."
)
@click.option(
    "--max-writes", default=80, show_default=True, help="Writes under way at once; more get a 503."
)
@click.option(
    "--max-listeners", default=100, show_default=True, help="Streams of changes open at once."
)
@click.option(
    "--allowed-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Also answer to this name (`Host`), as of a proxy before it; repeatable, * for any.",
)
@click.option("--access-log", is_flag=True, help="Write a line for each request to stderr.")
@database_option
@json_option
def serve(
    *,
    host: str,
    port: int,
    open_reads: bool,
    rate: float,
    burst: int,
    max_writes: int,
    max_listeners: int,
    hosts: tuple[str, ...],
    access_log: bool,
    database: Database,
    as_json: bool,
) -> None:
    """Serve the HTTP API until Ctrl-C; what was accepted is finished first.

    Writing needs a key (`evm-ledger key create`); reading too, unless --open-reads. Where only this
    machine can reach it, it answers to localhost alone, unless told so by --allowed-host.
    """
    _check_extra()
    from bridge.api.keys import ApiKeys, clock  # noqa: PLC0415 (needs the extra)
    from bridge.api.server import allowed_hosts, is_loopback  # noqa: PLC0415 (same)
    from bridge.api.server import serve as run  # noqa: PLC0415 (same)
    from bridge.api.settings import Settings  # noqa: PLC0415 (same)

    settings = Settings(
        open_reads=open_reads,
        rate=rate,
        burst=burst,
        max_writes=max_writes,
        threads=max_writes + 16,
        max_listeners=max_listeners,
        allowed_hosts=allowed_hosts(host, hosts),
    )
    with database.open() as ledger:
        if not is_loopback(host):
            now = clock()
            if not any(key.state(now) == "active" for key in ApiKeys(ledger).all()):
                click.echo(
                    f"warning: {host} can be reached from elsewhere, and there is no key yet",
                    err=True,
                )
            if open_reads:
                click.echo(f"warning: everybody who reaches {host} can read all of it", err=True)
            click.echo("warning: this is plain HTTP: put a proxy with TLS before it", err=True)
        run(
            ledger,
            settings,
            host=host,
            port=port,
            access_log=access_log,
            started=lambda url: show({"url": url}, f"listening at {url}", as_json=as_json),
        )


@click.group("key", cls=Commands)
def key_group() -> None:
    """Make, list and revoke keys of the HTTP API."""


@key_group.command(
    "create",
    short_help="Make a key, shown once.",
    epilog=example(
        "evm-ledger key create --name shop --scope post",
        "evm-ledger key create --name alice --scope post --account alice",
        "evm-ledger key create --name till --scope post --max-amount 50",
    ),
)
@click.option("--name", required=True, help="What you will know it by.")
@click.option(
    "--scope",
    required=True,
    type=click.Choice(_SCOPES),
    help="read; post: also transfer, burn, hold, reverse; admin: also everything else.",
)
@click.option(
    "--account", "accounts", multiple=True, metavar="ID", help="Only for this account; repeatable."
)
@click.option(
    "--max-amount",
    metavar="TOKENS",
    help="At most so many whole tokens out of an account in one request.",
)
@click.option("--expires", metavar="TIME", help="When it ends: ISO 8601 with an offset.")
@database_option
@json_option
def key_create(
    *,
    name: str,
    scope: str,
    accounts: tuple[str, ...],
    max_amount: str | None,
    expires: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Make a key and print it. It is stored as a hash: nobody can show it again."""
    _check_extra()
    from bridge.api.keys import ApiKeys, Scope  # noqa: PLC0415 (needs the extra)

    moment = None if expires is None else parse_moment(expires, "expires")
    with database.open() as ledger:
        key, token = ApiKeys(ledger).create(
            name, Scope(scope), accounts=accounts, max_amount=max_amount, expires_at=moment
        )
    show({**_key_json(key), "token": token}, token, as_json=as_json, done=f"made key {key.id}")


@key_group.command("list", short_help="List the keys.", epilog=example("evm-ledger key list"))
@database_option
@json_option
def key_list(*, database: Database, as_json: bool) -> None:
    """List every key, the oldest first, without its secret."""
    _check_extra()
    from bridge.api.keys import ApiKeys, clock  # noqa: PLC0415 (needs the extra)

    with database.open() as ledger:
        keys = ApiKeys(ledger).all()
    now = clock()
    show_rows(
        keys,
        ("id", "name", "scope", "accounts", "at once", "state", "created"),
        row=lambda it: (
            it.id, it.name, it.scope, ", ".join(sorted(it.accounts)) or "all",
            it.max_amount or "any", it.state(now), time_text(it.created_at),
        ),
        value=_key_json,
        none="no keys: evm-ledger key create",
        as_json=as_json,
    )  # fmt: skip


@key_group.command(
    "revoke", short_help="End a key.", epilog=example("evm-ledger key revoke 0123456789ab")
)
@click.argument("id_", metavar="ID")
@database_option
@json_option
def key_revoke(*, id_: str, database: Database, as_json: bool) -> None:
    """End a key, from the next request on and for ever."""
    _check_extra()
    from bridge.api.keys import ApiKeys  # noqa: PLC0415 (needs the extra)

    with database.open() as ledger:
        key = ApiKeys(ledger).revoke(id_)
    show(_key_json(key), f"revoked {key.id} ({key.name})", as_json=as_json, done="revoked")


def _key_json(key: ApiKey) -> dict[str, Any]:
    """Return a key as JSON has it."""
    return {
        "id": key.id,
        "name": key.name,
        "scope": str(key.scope),
        "accounts": sorted(key.accounts),
        "max_amount": key.max_amount,
        "created_at": str(key.created_at),
        "expires_at": None if key.expires_at is None else str(key.expires_at),
        "revoked_at": None if key.revoked_at is None else str(key.revoked_at),
    }
