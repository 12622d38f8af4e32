"""What proofs read of a ledger: past balances, ids, batches by seq and by seal."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ledger import ISSUER, FieldError, Ledger, Movement
from ledger.evidence import HOLDERS_PAGE, IDS_PAGE
from tests.bridge.histories import post, seal_all, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def book(database_url: str) -> Iterator[Ledger]:
    """Return a small ledger with sealed and unsealed entries, on each kind of database."""
    with small_ledger(database_url) as ledger:
        ledger.mint("alice", 2**255, asset="SCI")
        yield ledger


def test_past_balances_are_those_of_each_account(book: Ledger) -> None:
    for symbol in ("SCI", "GOLD"):
        for seq in range(book.head(symbol).seq + 1):
            found = list(book.past_balances(seq, symbol))
            assert [it.account_id for it in found] == sorted(it.account_id for it in found)
            for account_id, address, balance in found:
                assert balance == book.balance_at(account_id, seq, symbol)
                assert address == book.account(account_id).address
            supply = next(it.balance for it in found if it.account_id == ISSUER)
            assert supply == sum(it.balance for it in found if it.account_id != ISSUER)
        with pytest.raises(FieldError, match="the journal ends at"):
            book.past_balances(book.head(symbol).seq + 1, symbol)
        for wrong in (-1, 1.0, None):
            with pytest.raises(FieldError, match="seq"):
                book.past_balances(wrong, symbol)  # type: ignore[arg-type]  # that is the point


def test_past_balances_of_more_than_a_page(database_url: str) -> None:
    dice = random.Random(1)
    with Ledger.create(database_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 0, endowment=0)
        names = [f"agent-{number:04}" for number in range(HOLDERS_PAGE + 7)]
        for name in names:
            ledger.create_account(name)
        held: Counter[str] = Counter()
        moves = []
        for name in names:
            moves.append(Movement(ISSUER, name, 10))
            held[name] += 10
        for _ in range(500):
            one, other = dice.sample(names, 2)
            if held[one]:
                moves.append(Movement(one, other, 1))
                held.update({one: -1, other: 1})
        post(ledger, *moves)
        seq = ledger.head().seq
        post(ledger, *(Movement(ISSUER, name, 5) for name in names))
        found = {it.account_id: it.balance for it in ledger.past_balances(seq)}
        assert found.pop(ISSUER) == 10 * len(names)
        assert found == {name: held[name] for name in names}


def test_ids_are_those_of_the_entries(book: Ledger) -> None:
    every = [entry.id for entry in book.entries("SCI")]
    last = len(every)
    assert list(book.entry_ids("SCI", last=last)) == every
    assert list(book.entry_ids("SCI", 3, last=5)) == every[2:5]
    assert list(book.entry_ids("SCI", 4, last=3)) == []
    assert list(book.entry_ids("SCI", last=last + 9)) == every


def test_ids_of_more_than_a_page(sqlite_url: str) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 0)
        ledger.create_account("alice")
        post(ledger, *[Movement(ISSUER, "alice", 1)] * (IDS_PAGE + 5))
        assert len(list(ledger.entry_ids(last=IDS_PAGE + 6))) == IDS_PAGE + 6


def test_batches_by_seq_and_by_seal(book: Ledger) -> None:
    assert book.last_seal() == 2
    sealed = {it.seal.number: it for it in book.seals()}
    for symbol in ("SCI", "GOLD"):
        batches = [b for it in sealed.values() for b in it.batches if b.symbol == symbol]
        for batch in batches:
            for seq in range(batch.batch.first_seq, batch.batch.last_seq + 1):
                assert book.batch_with(seq, symbol) == batch
            assert book.batch_until(batch.seal, symbol) == batch
        assert book.batch_with(batches[-1].batch.last_seq + 1, symbol) is None
        assert book.batch_until(0, symbol) is None
        assert book.batch_until(99, symbol) == batches[-1]
    seal_all(book)
    assert book.last_seal() == 3
    assert book.batch_until(3, "GOLD") == book.batch_until(2, "GOLD")


def test_no_seal_is_seal_zero(sqlite_url: str) -> None:
    with small_ledger(sqlite_url, sealed=False) as ledger:
        assert ledger.last_seal() == 0
        assert ledger.batch_with(1, "SCI") is None


def test_a_past_balance_is_found_by_an_index(postgres_url: str) -> None:
    # A journal of one busy account and many that moved once: a walk back through it would look at
    # every entry for each of them.
    with Ledger.create(postgres_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 0, endowment=0)
        names = [f"agent-{number:03}" for number in range(200)]
        for name in names:
            ledger.create_account(name)
        post(ledger, *(Movement(ISSUER, name, 1) for name in names))
        post(ledger, *[Movement(ISSUER, "agent-000", 1)] * 5_000)
        before = _looked_at(ledger)
        assert len(list(ledger.past_balances(ledger.head().seq))) == 201
        assert _looked_at(ledger) - before < 5_000


def _looked_at(ledger: Ledger) -> int:
    """Return how many rows of entries were read since the server started counting."""
    with ledger.connection() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("SELECT pg_stat_force_next_flush()")
    with ledger.connection() as connection:
        driver = connection.connection.driver_connection
        [row] = driver.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables "
            "WHERE relname = 'token_ledger'"
        )
        return int(row[0])
