"""Cursors that somebody changed, made or took elsewhere: refused, or a place in the same list."""

from __future__ import annotations

import base64
import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

from bridge.api.cursors import write_cursor
from ledger import Hash32, Ledger
from ledger.changes import Place, Position
from ledger.cursors import Cursor, format_cursor
from tests.api.conftest import small_ledger
from tests.api.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

NAMES = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Serve a ledger in which every list has several pages."""
    with small_ledger(f"sqlite:///{tmp_path_factory.mktemp('cursors') / 'ledger.db'}") as ledger:
        ledger.create_asset("GLD", "Gold", 2)
        for payer, payee in itertools.permutations(NAMES, 2):
            for asset in ("SCI", "GLD"):
                ledger.mint(payer, 5, asset=asset)
                ledger.transfer(payer, payee, 1, asset=asset)
                ledger.hold(payer, 1, asset=asset)
                ledger.seal()
        made = ApiServer(ledger)
        yield made
        made.stop()


LISTS: dict[str, tuple[str, dict[str, str]]] = {
    "accounts": ("/v1/accounts", {}),
    "accounts of a prefix": ("/v1/accounts", {"prefix": "s"}),
    "journal": ("/v1/entries", {"asset": "SCI"}),
    "journal, oldest first": ("/v1/entries", {"asset": "SCI", "order": "oldest"}),
    "other journal": ("/v1/entries", {"asset": "GLD"}),
    "statement": ("/v1/entries", {"asset": "SCI", "account": "alice"}),
    "statement, oldest first": (
        "/v1/entries",
        {"asset": "SCI", "account": "alice", "order": "oldest"},
    ),
    "statement in the other asset": ("/v1/entries", {"asset": "GLD", "account": "alice"}),
    "statement of another": ("/v1/entries", {"asset": "SCI", "account": "bob"}),
    "holds": ("/v1/holds", {"asset": "SCI"}),
    "holds of an account": ("/v1/holds", {"asset": "SCI", "account": "alice"}),
    "holds of another": ("/v1/holds", {"asset": "SCI", "account": "bob"}),
    "holds of a state": ("/v1/holds", {"asset": "SCI", "state": "pending"}),
    "other holds": ("/v1/holds", {"asset": "GLD"}),
    "seals": ("/v1/seals", {}),
    "batches": ("/v1/batches", {"asset": "SCI"}),
    "other batches": ("/v1/batches", {"asset": "GLD"}),
    "changes": ("/v1/changes", {}),
}


def page(
    client: httpx.Client, name: str, cursor: str | None = None, limit: int = 1
) -> httpx.Response:
    """Return a page of the list of that name."""
    path, query = LISTS[name]
    after = {} if cursor is None else {"after" if name == "changes" else "cursor": cursor}
    return client.get(path, params={**query, **after, "limit": str(limit)})


def rows(answer: dict[str, Any]) -> list[Any]:
    """Return the rows of a page, without the cursors that changes have."""
    [found] = [value for value in answer.values() if isinstance(value, list)]
    return [{**row, "cursor": None} for row in found]


def test_a_cursor_is_good_in_its_own_list_alone(server: ApiServer) -> None:
    client = server.client(server.token("read"))
    given = {name: page(client, name).json()["cursor"] for name in LISTS}
    del given["accounts of a prefix"]  # one row, one page
    for name, cursor in given.items():
        assert page(client, name, cursor).status_code == 200, name
    for (source, cursor), name in itertools.product(given.items(), LISTS):
        if source != name:
            answer = page(client, name, cursor)
            assert answer.status_code == 422, (source, name)
            assert answer.json()["code"] == "INVALID_FIELD"
            assert answer.json()["field"] == ("after" if name == "changes" else "cursor")


@pytest.mark.parametrize("name", LISTS)
def test_an_altered_cursor_shows_nothing_else(server: ApiServer, name: str) -> None:
    """Whatever is done to it: a refusal, or rows of the list that it was given for."""
    client = server.client(server.token("read"))
    whole = rows(page(client, name, limit=1_000).json())
    cursor = page(client, name).json()["cursor"] or write_cursor(("accounts", "s"), "system")
    choose = random.Random(name)
    data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= choose.randint(1, 255)
        text = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        for altered in (text, text + "=" * (-len(text) % 4)):
            answer = page(client, name, altered, 1_000)
            assert answer.status_code in {200, 422}, answer.text
            if answer.status_code == 200:
                assert all(row in whole for row in rows(answer.json()))


@pytest.mark.parametrize(
    "text", ["", "x", "====", "nonsense", "é", "\x00", "W10", "bnVsbA", "A" * 4_096, "A" * 4_100]
)
def test_nonsense_is_refused(server: ApiServer, text: str) -> None:
    client = server.client(server.token("read"))
    for name in LISTS:
        answer = page(client, name, text)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FIELD"), name


FORGED = (0, 1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


@pytest.mark.parametrize("seq", FORGED)
def test_a_forged_cursor_is_only_a_place_in_the_list(server: ApiServer, seq: int) -> None:
    """The tag is no secret: who makes one up gets a page of what they may read anyway, or none."""
    client = server.client(server.token("read"))
    asset = server.service.ledger.asset("SCI")
    forged = {
        "journal": write_cursor(("entries", str(asset.id), "newest"), seq),
        "journal, oldest first": write_cursor(("entries", str(asset.id), "oldest"), seq),
        "statement": format_cursor(Cursor(seq, newest_first=True), asset.id, "alice"),
        "statement, oldest first": format_cursor(
            Cursor(seq, newest_first=False), asset.id, "alice"
        ),
        "holds": write_cursor(("holds", str(asset.id), None, None), seq),
        "seals": write_cursor(("seals",), seq),
        "batches": write_cursor(("batches", str(asset.id)), seq),
        "accounts": write_cursor(("accounts", ""), str(seq)),
        "changes": _changes(server.service.ledger, seq),
    }
    for name, cursor in forged.items():
        whole = rows(page(client, name, limit=1_000).json())
        answer = page(client, name, cursor, 1_000)
        assert answer.status_code in {200, 422}, (name, answer.text)
        if answer.status_code == 200:
            assert all(row in whole for row in rows(answer.json())), name


def _changes(ledger: Ledger, number: int) -> str:
    """Return a cursor of changes that nobody gave."""
    places = {stream: Place(number, number) for stream in (0, 1, 2, 77)}
    return Position(Hash32(ledger.identity.ledger_id), places, 77).cursor()


def test_no_cursor_opens_what_a_key_may_not_read(server: ApiServer) -> None:
    """A key of an account is told no more with the cursors of a key that may read everything."""
    every, own = server.client(server.token("read")), server.client(server.token("read", ["alice"]))
    allowed = {name for name, (_, query) in LISTS.items() if query.get("account") == "alice"}
    for name in LISTS:
        cursor = page(every, name).json()["cursor"]
        for given in (None, cursor):
            answer = page(own, name, given)
            assert answer.status_code == (200 if name in allowed else 403), name
        for other in allowed - {name}:
            if cursor is not None:
                assert page(own, other, cursor).status_code == 422, (name, other)
