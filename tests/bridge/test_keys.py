"""Idempotency keys survive an export: what was posted before an import is not posted again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.export import export, write_secrets
from bridge.imports import import_ledger, read_secrets
from ledger import Group, Ledger, Movement, Receipt, RefusedError, Rule

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.requests import Item

ITEMS: list[Item] = [
    Movement("alice", "bob", 3, "AAA", reason="pay", memo="once", idempotency_key="alone"),
    Group((Movement("alice", "bob", 1, "AAA"), Movement("bob", "alice", 1, "AAA")), "one asset"),
    Group(
        (
            Movement("alice", "bob", 1, "BBB"),
            Movement("alice", "bob", 2, "AAA"),
            Movement("bob", "alice", 1, "BBB"),
        ),
        "two assets",
    ),
    Movement("alice", "bob", 1, "BBB", idempotency_key="last"),
]


def exported(url: str, folder: Path) -> Ledger:
    ledger = Ledger.create(url)
    for symbol in ("AAA", "BBB"):
        ledger.create_asset(symbol, symbol, 0)
    ledger.create_account("alice", 1_000, asset="AAA", idempotency_key="open")
    ledger.create_account("bob", 0)
    ledger.mint("alice", 5, asset="BBB")
    assert all(isinstance(result, Receipt) for result in ledger.post_many(ITEMS))
    while ledger.seal():
        pass
    export(ledger, folder / "export")
    write_secrets(ledger, folder / "secrets")
    return ledger


def test_a_request_repeated_after_an_import_posts_nothing(
    database_url: str, tmp_path: Path
) -> None:
    with exported(f"sqlite:///{tmp_path}/first.db", tmp_path) as ledger:
        heads = {symbol: ledger.head(symbol) for symbol in ("AAA", "BBB")}
        pepper = read_secrets(tmp_path / "secrets", ledger.identity.ledger_id)
    with import_ledger(tmp_path / "export", database_url, pepper=pepper) as restored:
        results = restored.post_many(ITEMS)
        assert [isinstance(result, Receipt) and result.repeated for result in results] == [True] * 4
        assert {symbol: restored.head(symbol) for symbol in ("AAA", "BBB")} == heads
        other = restored.post_many([Movement("bob", "alice", 1, "AAA", idempotency_key="alone")])
        assert [isinstance(one, RefusedError) and one.rule for one in other] == [Rule.KEY_REUSED]
        assert restored.audit().ok


def test_without_the_pepper_nothing_can_be_posted(tmp_path: Path) -> None:
    exported(f"sqlite:///{tmp_path}/first.db", tmp_path).close()
    with import_ledger(tmp_path / "export", f"sqlite:///{tmp_path}/second.db") as restored:
        results = restored.post_many(ITEMS)
        assert {isinstance(one, RefusedError) and one.rule for one in results} == {Rule.READ_ONLY}
        assert restored.audit().ok
