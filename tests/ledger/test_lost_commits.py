"""COMMITs whose answer is lost: what became of them is found out, never guessed."""

from __future__ import annotations

import select
import socket
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from ledger import DatabaseFileError, Ledger, OpenAccount, RefusedError
from ledger.engine import is_lost
from ledger.posting import post
from tests.ledger.support import economy, raw, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger import Hold

_IDLE: Final = b"Z\0\0\0\5I"
"""What PostgreSQL says when it has no transaction under way, and waits."""


_MANY: Final = 200
"""Bytes: a COMMIT that comes with this much more comes with all that is written."""


class Proxy:
    """A server in front of PostgreSQL that cuts the line at one COMMIT of a writer.

    `before` it arrives; `after` it has been done, so that only the answer is lost; `late`: the
    client is cut off at once, and the server has the COMMIT only 0.3 seconds later.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self.cut = ""
        self.url = ""
        self._server = server
        self._writes: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):  # either may go away at any time
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    words = source.recv(65_536)
                    if not words or not self._forward(client, server, source, words):
                        return

    def _forward(
        self, client: socket.socket, server: socket.socket, source: socket.socket, words: bytes
    ) -> bool:
        """Pass words on; false where the line is to be cut."""
        if source is server:
            if any(tag in words for tag in (b"UPDATE ", b"INSERT ", b"COPY ")):
                self._writes.add(server)
            client.sendall(words)
            return True
        if b"BEGIN" in words:
            self._writes.discard(server)
        writes = server in self._writes or len(words) > _MANY
        if not self.cut or b"COMMIT" not in words or not writes:
            server.sendall(words)
            return True
        how, self.cut = self.cut, ""
        if how == "late":
            client.close()
            time.sleep(0.3)
        if how != "before":
            server.sendall(words)
            said = b""
            while not said.endswith(_IDLE):  # the answer: it is done
                said += server.recv(65_536)
        return False

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    folder = Path(str(make_url(postgres_url).query["host"]))
    with tempfile.TemporaryDirectory() as name:
        it = Proxy(Path(name), str(folder / ".s.PGSQL.5432"))
        it.url = make_url(postgres_url).set(query={"host": name}).render_as_string()
        yield it
        it.close()


@pytest.fixture
def remote(postgres_url: str, proxy: Proxy) -> Iterator[Ledger]:
    """Return a ledger that reaches its server through the proxy."""
    economy(postgres_url, "alice", "bob").close()
    with Ledger.open(proxy.url) as ledger:
        assert ledger.asset().symbol == "SCI"
        yield ledger


@pytest.mark.parametrize("how", ["after", "late"])
def test_a_commit_without_an_answer_is_found_out(
    remote: Ledger, proxy: Proxy, postgres_url: str, how: str
) -> None:
    proxy.cut = how
    entry = remote.transfer("alice", "bob", 5, idempotency_key="k")
    assert not proxy.cut
    assert not entry.repeated
    with Ledger.open(postgres_url) as ledger:
        assert list(ledger.entries(first=3)) == [entry]
        assert ledger.audit().ok
    assert remote.transfer("alice", "bob", 5, idempotency_key="k").repeated


def _other_limits(ledger: Ledger, _: Hold) -> object:
    return ledger.set_limits("alice", max_debit=7)


WITHOUT_ENTRY: Final[dict[str, Callable[[Ledger, Hold], object]]] = {
    "account": lambda ledger, _: ledger.create_account("carol", 0),
    "hold": lambda ledger, _: ledger.hold("alice", 5),
    "void": lambda ledger, hold: ledger.void_hold(hold.id),
    "freeze": lambda ledger, _: ledger.freeze_account("alice"),
    "reopen": lambda ledger, _: ledger.reopen_account("dora"),
    "close": lambda ledger, _: ledger.close_account("erin"),
    "limits": _other_limits,
}
"""What makes an event and no entry: only the event can prove its COMMIT."""


@pytest.mark.parametrize("kind", WITHOUT_ENTRY)
@pytest.mark.parametrize("how", ["after", "late"])
def test_a_commit_without_an_entry_is_found_out_too(
    remote: Ledger, proxy: Proxy, postgres_url: str, how: str, kind: str
) -> None:
    with Ledger.open(postgres_url) as ledger:
        hold = ledger.hold("bob", 5)
        ledger.create_account("dora", 0)
        ledger.freeze_account("dora")
        ledger.create_account("erin", 0)
    events = "SELECT count(*) FROM token_events"
    with raw(postgres_url) as database:
        [(before,)] = database.run(events)
        proxy.cut = how
        made = WITHOUT_ENTRY[kind](remote, hold)
        assert not proxy.cut
        assert database.run(events) == [(before + 1,)]
    with Ledger.open(postgres_url) as ledger:
        if kind == "account":
            assert ledger.account("carol") == made
        if kind in {"hold", "void"}:
            assert made in list(ledger.holds())
        assert ledger.audit().ok


def held_for_a_moment(ledger: Ledger) -> datetime:
    """Hold something, and return when it expires; a slow machine takes more than the moment."""
    for seconds in (0.3, 3, 30):
        soon = datetime.now(UTC) + timedelta(seconds=seconds)
        with suppress(RefusedError):
            ledger.hold("bob", 5, expires_at=soon)
            return soon
    raise AssertionError("holding something takes half a minute")


@pytest.mark.parametrize("how", ["after", "late"])
def test_what_expired_in_the_lost_commit_is_found_out_too(
    remote: Ledger, proxy: Proxy, postgres_url: str, how: str
) -> None:
    """Its first event is the expiry of what somebody else held."""
    soon = held_for_a_moment(remote)
    while datetime.now(UTC) <= soon:
        time.sleep(0.01)
    proxy.cut = how
    hold = remote.hold("bob", 1_000, idempotency_key="k")
    assert not proxy.cut
    with Ledger.open(postgres_url) as ledger:
        assert [each.state for each in ledger.holds()] == ["expired", "pending"]
        assert hold in list(ledger.holds())
        assert ledger.audit().ok


@pytest.mark.parametrize("kind", WITHOUT_ENTRY)
def test_an_event_that_never_arrived_is_not_claimed(
    remote: Ledger, proxy: Proxy, postgres_url: str, kind: str
) -> None:
    with Ledger.open(postgres_url) as ledger:
        hold = ledger.hold("bob", 5)
        ledger.create_account("dora", 0)
        ledger.freeze_account("dora")
        ledger.create_account("erin", 0)
    proxy.cut = "before"
    with unchanged(postgres_url), pytest.raises(DatabaseFileError, match="does not answer"):
        WITHOUT_ENTRY[kind](remote, hold)
    assert not proxy.cut
    WITHOUT_ENTRY[kind](remote, hold)


def test_a_commit_that_never_arrived_is_not_claimed(
    remote: Ledger, proxy: Proxy, postgres_url: str
) -> None:
    for ask in (
        lambda: remote.transfer("alice", "bob", 5, idempotency_key="k"),
        lambda: remote.create_account("carol", 0, idempotency_key="k"),
        lambda: remote.create_account("carol", 5, idempotency_key="k"),
    ):
        proxy.cut = "before"
        with unchanged(postgres_url), pytest.raises(DatabaseFileError, match="does not answer"):
            ask()
        assert not proxy.cut
    assert not remote.transfer("alice", "bob", 5, idempotency_key="k").repeated


def test_an_account_that_another_made_meanwhile_is_not_claimed(
    remote: Ledger, proxy: Proxy, postgres_url: str
) -> None:
    """The COMMIT is lost, and before we can ask somebody else creates the same account."""
    run = remote._prepared([OpenAccount("carol", 0)])
    proxy.cut = "before"
    with pytest.raises(DBAPIError) as lost, remote._transactions._begun() as connection:
        outcome = post(connection, run)
    assert is_lost(lost.value)
    with Ledger.open(postgres_url) as other:
        other.create_account("carol", 0)
    assert outcome.first_entry is None
    assert remote._transactions._is_committed(outcome, lost.value) is False
