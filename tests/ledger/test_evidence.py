"""What audit and import say of keys that were lost or used twice, and of a group cut in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.export import export
from bridge.imports import import_ledger
from ledger import Group, LedgerError, Movement, sealing
from tests.ledger.support import accepted, attacker, economy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ledger import Entry
    from ledger.batches import Unit


def without_key(url: str, key: str) -> None:
    """Remove an idempotency key, as nobody but an attacker or an accident does."""
    with attacker(url) as connection:
        connection.run(f"DELETE FROM token_keys WHERE key = '{key}'")  # noqa: S608 (a test's own)


def test_a_lost_key_is_named(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.transfer("alice", "bob", 1, idempotency_key="kept")
        ledger.transfer("alice", "bob", 1, idempotency_key="lost")
        assert ledger.audit().ok
        without_key(database_url, "lost")
        finding = ledger.audit().finding
    assert finding is not None
    assert (finding.table, finding.row) == ("token_keys", "lost")


def test_a_key_with_two_entries_is_named_and_not_imported(
    database_url: str, tmp_path: Path
) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.transfer("alice", "bob", 1, idempotency_key="twice")
        without_key(database_url, "twice")
        ledger.transfer("alice", "bob", 1, idempotency_key="twice")
        finding = ledger.audit().finding
        assert finding is not None
        assert (finding.table, finding.row) == ("token_keys", "twice")
        while ledger.seal():
            pass
        export(ledger, tmp_path / "export")
    with pytest.raises(
        LedgerError, match=r"idempotency_key: of SCI/4 is 'twice', which an earlier"
    ):
        import_ledger(tmp_path / "export", f"sqlite:///{tmp_path}/copy.db")
    assert not (tmp_path / "copy.db").exists()


def one_entry_at_a_time(ordered: Iterable[Unit]) -> dict[str, list[Entry]]:
    """Cut as `batches.cut` never does: the first entry, wherever its group ends."""
    first = next(iter(next(iter(ordered), ())), None)
    return {} if first is None else {first.asset: [first]}


@pytest.mark.parametrize("other", ["SCI", "GOLD"])
def test_a_group_in_two_seals_is_named(
    database_url: str, other: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sealing, "cut", one_entry_at_a_time)
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("GOLD", "Gold")
        ledger.mint("alice", 9, asset="GOLD")
        pair = (Movement("alice", "bob", 1, "SCI"), Movement("alice", "bob", 1, other))
        accepted(ledger.post_many([Group(pair)])[0])
        while ledger.seal():
            pass
        finding = ledger.audit().finding
        assert finding is not None
        assert finding.what == ("last_seq" if other == "SCI" else "seal")
        export(ledger, tmp_path / "export")
    with pytest.raises(LedgerError, match="group" if other == "SCI" else "seal"):
        import_ledger(tmp_path / "export", f"sqlite:///{tmp_path}/copy.db")


def test_whole_groups_over_two_assets_are_fine(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("GOLD", "Gold")
        ledger.mint("alice", 9, asset="GOLD")
        pair = (Movement("alice", "bob", 1, "SCI"), Movement("alice", "bob", 1, "GOLD"))
        for _ in range(3):
            accepted(ledger.post_many([Group(pair)])[0])
            ledger.seal()
        accepted(ledger.post_many([Group(pair)])[0])
        report = ledger.audit()
    assert report.ok
