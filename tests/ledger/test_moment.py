"""Reads of one moment: what several calls of a thread see together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable


def elsewhere(work: Callable[[], object]) -> None:
    """Do something in a thread of its own, and wait for it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_what_a_thread_reads_is_of_one_moment(database_url: str) -> None:
    """What others post meanwhile is not seen before the end; they are not kept waiting."""
    with Ledger.create(database_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 18)
        ledger.create_account("alice", 100)
        ledger.create_account("bob", 0)
        with ledger.moment():
            assert ledger.get_balance("alice") == 100
            elsewhere(lambda: ledger.transfer("alice", "bob", 40))
            with ledger.moment():
                assert (ledger.get_balance("alice"), ledger.get_balance("bob")) == (100, 0)
            assert len(ledger.get_statement("bob")) == 0
            assert ledger.get_total_supply() == 100
            seen: list[int] = []
            elsewhere(lambda: seen.append(ledger.get_balance("bob")))
            assert seen == [40]
            with ledger.glance() as connection:
                assert connection.exec_driver_sql("SELECT max(seq) FROM token_ledger").scalar() == 1
        assert (ledger.get_balance("alice"), ledger.get_balance("bob")) == (60, 40)
        with ledger.glance() as connection:
            assert connection.exec_driver_sql("SELECT max(seq) FROM token_ledger").scalar() == 2


def test_assets_of_another_process_are_seen(database_url: str) -> None:
    """Also when only the operator is new."""
    with Ledger.create(database_url) as ledger, Ledger.open(database_url) as other:
        ledger.create_asset("SCI", "SCI token", 18)
        assert other.asset().operator is None
        operator = ledger.identity.registrar
        ledger.set_operator("SCI", operator)
        assert other.asset().operator == operator
        ledger.create_asset("GLD", "Gold", 2)
        assert [asset.symbol for asset in other.assets()] == ["SCI", "GLD"]
