"""The HTTP API under load: reads and writes, 1 to 64 connections, beside servers that do less."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sqlalchemy import create_engine

from benchmarks.loads import SYMBOL, Load, account, populated
from benchmarks.measure import Result, bar
from bridge.api.keys import ApiKeys, Scope
from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.databases import Database
    from benchmarks.sizes import Sizes

CONNECTIONS: Final = (1, 16, 64)
_WARM: Final = 64


class Measured:
    """What a load took."""

    def __init__(self, seconds: float, waits: Sequence[float]) -> None:
        ordered = sorted(waits)
        self.rate = len(ordered) / seconds
        self.p50 = ordered[len(ordered) // 2] * 1_000
        self.p99 = ordered[len(ordered) * 99 // 100] * 1_000


async def _drive(url: str, requests: Sequence[bytes], connections: int) -> Measured:
    """Send every request over so many connections, each waiting for its answer."""
    parts = urlsplit(url)
    waiting = iter(requests)
    waits: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head[9:11] == b"20", head
            lowered = head.lower()
            size = int(lowered.split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
            waits.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    return Measured(time.perf_counter() - began, waits)


def _get(path: str, token: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def _posts(load: Load, count: int, token: str, hot: float) -> list[bytes]:
    """Return requests that post payments."""
    made = []
    for item in load.take(count, hot=hot):
        body = json.dumps(
            {
                "from_account": item.from_account,
                "to_account": item.to_account,
                "amount": {"base_units": str(item.amount)},
                "asset": SYMBOL,
                "reason": item.reason,
                "reference_type": item.reference_type,
                "reference_id": item.reference_id,
            }
        ).encode()
        head = (
            f"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Idempotency-Key: {item.idempotency_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


@contextmanager
def _serving(kind: str, url: str) -> Iterator[str]:
    """Run a server in a process of its own; give its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.http_server", kind, url],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def _bare_table(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE bare (key TEXT, body TEXT, at BIGINT)")
    engine.dispose()


def measure(database: Database, sizes: Sizes) -> Iterator[Result]:
    """Measure reads beside a bare endpoint, writes beside one commit a request."""
    url, other = database.new_url(), database.new_url()
    populated(url, sizes.accounts[0]).close()
    _bare_table(other)
    with Ledger.open(url) as ledger:
        token = ApiKeys(ledger).create("load", Scope.POST)[1]
    load = Load(sizes.accounts[0], "http-")
    balance = _get(f"/api/token/balance/{account(1)}", token)
    nothing = _get("/v1/nothing", token)
    with (
        _serving("ledger", url) as ours,
        _serving("bare", other) as bare,
        _serving("commit", other) as commit,
    ):

        def drive(where: str, requests: Sequence[bytes], connections: int) -> Measured:
            return asyncio.run(_drive(where, requests, connections))

        drive(ours, _posts(load, _WARM, token, 0.0), _WARM)
        drive(commit, _posts(load, _WARM, token, 0.0), _WARM)
        for connections in bar(CONNECTIONS, f"{database.name}: HTTP"):
            count = sizes.round if connections > 1 else sizes.round // 4
            name = f"{database.name}: HTTP, {connections} connections"
            read = drive(ours, [balance] * count, connections)
            least = drive(bare, [nothing] * count, connections)
            yield Result(f"{name}, read a balance", read.rate, "bare endpoint", least.rate, "req/s")
            yield from _waits(f"{name}, read a balance", read, "bare endpoint", least)
            one = drive(commit, _posts(load, count, token, 0.0), connections)
            for kind, hot in (("post, spread", 0.0), ("post, one hot account", 1.0)):
                post = drive(ours, _posts(load, count, token, hot), connections)
                beside = "one commit a request"
                yield Result(f"{name}, {kind}", post.rate, beside, one.rate, "req/s")
                yield from _waits(f"{name}, {kind}", post, beside, one)
    with Ledger.open(url) as ledger:
        assert ledger.audit().ok


def _waits(name: str, mine: Measured, beside: str, base: Measured) -> Iterator[Result]:
    """Return how long an answer took: the median, and all but one in a hundred."""
    yield Result(f"{name}, p50", mine.p50, f"{beside}, p50", base.p50, "ms")
    yield Result(f"{name}, p99", mine.p99, f"{beside}, p99", base.p99, "ms")
