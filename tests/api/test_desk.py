"""What is done for several requests at once: each gets its own answer, and nobody another's."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge.api import first_spec
from bridge.api.desk import Wanted, looked_up
from bridge.api.guards import Caller
from bridge.api.keys import Scope
from bridge.api.problems import Problem
from ledger import BusyError, NotFoundError

if TYPE_CHECKING:
    from ledger import Ledger
    from tests.api.server import ApiServer


def test_what_one_reader_may_not_is_said_to_that_one_alone(
    server: ApiServer, ledger: Ledger
) -> None:
    """Whatever is wrong with it: a place of others, a name of nobody, an error of ours."""
    api = server.service
    free = Caller(api.keys.create("free", Scope.READ)[0])
    confined = Caller(api.keys.create("confined", Scope.READ, accounts=["bob"])[0])
    ended, _ = api.keys.create("ended", Scope.READ)
    api.keys.revoke(ended.id)

    def balance(caller: Caller, account: str) -> Wanted:
        return Wanted(caller, partial(first_spec.balance, api, caller, account))

    def broken() -> dict[str, Any]:
        raise ZeroDivisionError

    run = [
        balance(confined, "alice"),
        balance(free, "alice"),
        balance(Caller(ended), "alice"),
        balance(free, "nobody"),
        Wanted(free, broken),
        balance(confined, "bob"),
        balance(Caller(None), "carol"),
    ]
    forbidden, alice, gone, nobody, ours, bob, carol = looked_up(api, run)
    assert isinstance(forbidden, Problem)
    assert (forbidden.status, forbidden.code) == (403, "ACCOUNT_FORBIDDEN")
    assert isinstance(gone, Problem)
    assert gone.status == 401
    assert isinstance(nobody, NotFoundError)
    assert isinstance(ours, ZeroDivisionError)
    for answer, name in ((alice, "alice"), (bob, "bob"), (carol, "carol")):
        assert not isinstance(answer, Exception)
        assert json.loads(bytes(answer.body))["account_id"] == name
    assert ledger.get_balance("alice") > 0


def test_what_the_database_says_is_said_to_all(server: ApiServer) -> None:
    """The transaction that they share may be over by that."""

    def busy() -> dict[str, Any]:
        raise BusyError("busy")

    nobody = Caller(None)
    run = [
        Wanted(nobody, dict),
        Wanted(nobody, busy),
        Wanted(nobody, dict),
    ]
    assert {type(answer) for answer in looked_up(server.service, run)} == {BusyError}


def test_readers_at_once_get_each_its_own_answer(server: ApiServer) -> None:
    """Over HTTP, in one run: they gather while the one before them is held."""
    tokens = {"free": server.token("read"), "confined": server.token("read", ["bob"])}
    for token in tokens.values():
        server.service.keys.check(token)
    held, go_on, gathering = threading.Event(), threading.Event(), server.service.lookups
    sizes: list[int] = []
    real = gathering._run

    def watched(run: Any) -> Any:  # noqa: ANN401 (as the real one's)
        sizes.append(len(run))
        if len(sizes) == 1:
            held.set()
            assert go_on.wait(120)
        return real(run)

    gathering._run = watched
    found: list[tuple[str, int, str]] = []

    def ask(who: str) -> None:
        answer = server.client(tokens[who]).get("/api/token/balance/alice")
        found.append((who, answer.status_code, answer.json().get("code", "")))

    first = threading.Thread(target=ask, args=("free",))
    first.start()
    assert held.wait(120)
    others = [threading.Thread(target=ask, args=(who,)) for who in ("free", "confined") * 5]
    for thread in others:
        thread.start()
    lanes = gathering._lanes
    while len(lanes[None]) < len(others):
        threading.Event().wait(0.01)
    go_on.set()
    for thread in (first, *others):
        thread.join()
    assert sizes == [1, 10]
    assert sorted(found) == [("confined", 403, "ACCOUNT_FORBIDDEN")] * 5 + [("free", 200, "")] * 6
