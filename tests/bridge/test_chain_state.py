"""What another chain says, booked: another token's balances and logs, read from a real node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.bound import Bridge
from bridge.chain_state import import_chain_state
from bridge.codec import TRANSFER, Log, Place, transfer_log
from bridge.deploy import deploy
from bridge.replay import replay
from bridge.tokens import read_balances
from ledger import FieldError, Kind, Ledger, RefusedError, Rule
from ledger.ids import chain_cause
from ledger.model import ZERO_ADDRESS, Address, Hash32, Record
from tests.bridge.histories import REAL_ADDRESS, fund, small_ledger
from tests.ledger.support import unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.chain import Chain
    from bridge.keys import Signer

SOURCE: Final = 31_337
HER: Final = Address(b"\xaa" * 20)
HIS: Final = Address(b"\xbb" * 20)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.create(database_url) as made:
        made.create_asset("PTS", "Points")
        yield made


@pytest.fixture
def lone(sqlite_url: str) -> Iterator[Ledger]:
    with Ledger.create(sqlite_url) as made:
        made.create_asset("PTS", "Points")
        made.create_account("alice", 0)
        yield made


class Foreign:
    """A token of somebody else, on a chain: that of another ledger's asset."""

    def __init__(self, chain: Chain, signer: Signer, folder: Path) -> None:
        with small_ledger(f"sqlite:///{folder / 'foreign.db'}") as other:
            deployed = deploy(other, chain, signer)
            replay(other, chain, signer)
            self.token = next(it.address for it in deployed.tokens if it.name == "GOLD")
            self.supply = other.get_total_supply("GOLD")
            self.entries = list(other.entries("GOLD"))
        at = chain.block()
        self.logs = list(chain.logs(self.token, None, 0, at.number))
        ends = (address for it in self.entries for address in (it.from_address, it.to_address))
        self.holders = sorted(set(ends) - {ZERO_ADDRESS})
        found = read_balances(chain, self.token, self.holders, at)
        self.balances = dict(zip(self.holders, found, strict=True))


@pytest.fixture
def foreign(chain: Chain, signer: Signer, tmp_path: Path) -> Foreign:
    return Foreign(chain, signer, tmp_path)


@pytest.fixture
def any_foreign(any_chain: Chain, signer: Signer, tmp_path: Path) -> Foreign:
    """Return the same on each kind of node in turn."""
    return Foreign(any_chain, signer, tmp_path)


def held(ledger: Ledger) -> dict[Address, int]:
    return {balance.address: balance.balance for balance in ledger.balances()}


# --- balances of a real token ---


def test_the_balances_of_a_real_token(ledger: Ledger, foreign: Foreign) -> None:
    assert sum(foreign.balances.values()) == foreign.supply > 0
    would = import_chain_state(ledger, foreign.balances, SOURCE)
    assert (would.dry_run, would.minted, would.refused) == (True, foreign.supply, ())
    assert held(ledger) == {}
    done = import_chain_state(ledger, foreign.balances, SOURCE, dry_run=False)
    assert done.new_accounts == would.new_accounts
    assert REAL_ADDRESS in done.new_accounts
    assert [entry.amount for entry in done.entries] == [entry.amount for entry in would.entries]
    assert held(ledger) == foreign.balances
    assert {entry.kind for entry in done.entries} == {Kind.PLAIN}
    assert ledger.audit().ok


def test_a_second_import_posts_nothing(ledger: Ledger, foreign: Foreign) -> None:
    import_chain_state(ledger, foreign.balances, SOURCE, dry_run=False)
    head = ledger.head()
    for state in (foreign.balances, {str(a): n for a, n in foreign.balances.items()}):
        again = import_chain_state(ledger, state, SOURCE, dry_run=False)
        assert (again.entries, again.new_accounts, again.differences) == ((), (), ())
    assert ledger.head() == head


def test_balances_from_two_chains_are_kept_apart(lone: Ledger) -> None:
    for chain_id in (1, 10):
        import_chain_state(lone, {HER: 5}, chain_id, dry_run=False)
    assert held(lone)[HER] == 10


def test_what_changed_there_comes_in_and_what_happened_here_stands(lone: Ledger) -> None:
    import_chain_state(lone, {HER: 5, HIS: 7}, SOURCE, dry_run=False)
    lone.transfer(str(HER).lower(), "alice", 3)
    for state, expected in (
        ({HER: 5, HIS: 7}, (2, 7)),
        ({HER: 8, HIS: 7}, (5, 7)),
        ({HER: 4, HIS: 11}, (1, 11)),
        ({HIS: 0}, (1, 0)),
        ({HIS: 7}, (1, 7)),
        ({HIS: 0}, (1, 0)),
    ):
        import_chain_state(lone, state, SOURCE, dry_run=False)
        assert (held(lone)[HER], held(lone)[HIS]) == expected
    assert lone.get_balance("alice") == 3
    assert lone.audit().ok


def test_an_account_with_that_address_gets_it(lone: Ledger) -> None:
    address = lone.account("alice").address
    done = import_chain_state(lone, {str(address): 5}, SOURCE, dry_run=False)
    assert (done.new_accounts, lone.get_balance("alice")) == ((), 5)
    [difference] = done.differences
    assert (difference.account_id, difference.on_chain, difference.in_ledger) == ("alice", 5, 0)


def test_nobody_gets_what_was_sent_to_zero(lone: Ledger) -> None:
    done = import_chain_state(lone, {ZERO_ADDRESS: 9, HER: 1}, SOURCE, dry_run=False)
    assert (done.skipped, done.minted, lone.get_total_supply()) == (1, 1, 1)


def test_what_was_spent_here_cannot_leave_there(lone: Ledger, sqlite_url: str) -> None:
    import_chain_state(lone, {HER: 5}, SOURCE, dry_run=False)
    lone.transfer(str(HER).lower(), "alice", 3)
    state = {HER: 0, HIS: 5}
    with unchanged(sqlite_url):
        would = import_chain_state(lone, state, SOURCE)
        assert [refusal.rule for refusal in would.refused] == [Rule.INSUFFICIENT_AVAILABLE]
        with pytest.raises(RefusedError, match="has 2 base units available, 5 are asked"):
            import_chain_state(lone, state, SOURCE, dry_run=False)
    assert str(HIS).lower() not in {account.account_id for account in lone.accounts()}


# --- the logs of a real token ---


def test_the_logs_of_a_real_token(ledger: Ledger, any_foreign: Foreign) -> None:
    rows = [log.to_rpc() for log in any_foreign.logs]
    would = import_chain_state(ledger, rows, SOURCE)
    assert (len(would.entries), held(ledger)) == (len(any_foreign.entries), {})
    done = import_chain_state(ledger, reversed(any_foreign.logs), SOURCE, dry_run=False)
    assert held(ledger) == any_foreign.balances
    entries = list(ledger.entries())
    transfers = [log for log in any_foreign.logs if log.topics[0] == TRANSFER]
    assert done.skipped == len(any_foreign.logs) - len(transfers) > 0  # of replayed batches
    for entry, log in zip(entries, transfers, strict=True):
        assert (entry.kind, entry.reference_id) == (Kind.CHAIN, str(log.place.transaction_hash))
        assert entry.cause == chain_cause(SOURCE, log.place.block_hash, log.place.log_index)
        record = Record(entry.from_address, entry.to_address, entry.amount)
        assert transfer_log(log.address, record, log.place) == log
    again = import_chain_state(ledger, rows, SOURCE, dry_run=False)
    assert (again.entries, again.repeated) == ((), len(entries))
    assert ledger.audit().ok


def log(
    amount: int = 5,
    *,
    block: int = 1,
    index: int = 0,
    transaction: int = 1,
    token: Address = HIS,
    from_: Address = ZERO_ADDRESS,
) -> Log:
    place = Place(
        block, Hash32(bytes([block]) * 32), 0, Hash32(transaction.to_bytes(32, "big")), index
    )
    return transfer_log(token, Record(from_, HER, amount), place)


def test_a_transaction_with_many_transfers_is_cut_into_groups(lone: Ledger) -> None:
    logs = [log(index=index) for index in range(2_500)]
    done = import_chain_state(lone, logs, 1, dry_run=False)
    assert len({entry.group for entry in done.entries}) == 3
    assert import_chain_state(lone, logs, 1, dry_run=False).repeated == 2_500
    assert held(lone)[HER] == 12_500


def test_later_logs_follow(lone: Ledger) -> None:
    import_chain_state(lone, [log()], 1, dry_run=False)
    done = import_chain_state(lone, [log(), log(block=2, transaction=2)], 1, dry_run=False)
    assert (len(done.entries), done.repeated, held(lone)[HER]) == (1, 1, 10)


def test_a_transaction_in_another_block_is_not_taken_for_the_same(
    lone: Ledger, sqlite_url: str
) -> None:
    """A reorganisation put it there; whether the first one counts is for people to say."""
    import_chain_state(lone, [log()], 1, dry_run=False)
    with unchanged(sqlite_url), pytest.raises(RefusedError) as refusal:
        import_chain_state(lone, [log(block=2, index=3)], 1, dry_run=False)
    assert refusal.value.rule == Rule.KEY_REUSED


def test_a_history_that_starts_in_the_middle_is_refused(lone: Ledger, sqlite_url: str) -> None:
    logs = [log(), log(9, index=1, transaction=2, from_=HIS)]
    with unchanged(sqlite_url):
        assert [it.rule for it in import_chain_state(lone, logs, 1).refused] == [
            Rule.INSUFFICIENT_AVAILABLE
        ]
        with pytest.raises(RefusedError):
            import_chain_state(lone, logs, 1, dry_run=False)


# --- what is no state ---

ROW: Final = log().to_rpc()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (None, "state: must be balances by address, or `Transfer` logs"),
        (1, "state: must be balances by address"),
        ("", "state: must be balances by address"),
        (b"", "state: must be balances by address"),
        ({HER: 1.0}, "must be an int"),
        ({HER: True}, "must be an int"),
        ({HER: "1"}, "must be an int"),
        ({HER: -1}, f"state[{HER}]"),
        ({HER: 2**256}, f"state[{HER}]"),
        ({"alice": 1}, "'alice' is no address"),
        ({HER[:19]: 1}, "is no address"),
        ({"0x12": 1}, "'0x12' is no address"),
        ({HER: 1, str(HER): 1}, f"{HER} is in it twice"),
        ({str(HER): 1, str(HER).lower(): 2}, f"{HER} is in it twice"),
        ([log(), log()], "log 0 of block 1 is in it twice"),
        ([log(), log(index=1, token=HER)], "the logs are of 2 contracts"),
        ([{}], "state[0]: is no log as `eth_getLogs` returns it"),
        ([ROW, None], "state[1]: is no log"),
        ([ROW, "0x"], "state[1]: is no log"),
        ([{**ROW, "removed": True}], "state[0]: is no log"),
        ([{**ROW, "data": "0x1"}], "state[0]: is no log"),
        ([{**ROW, "topics": ["0x12"]}], "state[0]: is no log"),
        ([{**ROW, "blockNumber": None}], "state[0]: is no log"),
    ],
)
def test_what_is_no_state_is_refused(
    lone: Ledger,
    sqlite_url: str,
    state: Any,  # noqa: ANN401 (what callers may pass)
    says: str,
) -> None:
    with unchanged(sqlite_url):
        for dry_run in (True, False):
            with pytest.raises(FieldError) as refusal:
                import_chain_state(lone, state, 1, dry_run)
            assert says in str(refusal.value)


@pytest.mark.parametrize("source", [0, -1, "1", 1.0, True, None, 2**256, 2**300])
def test_what_is_no_chain_id_is_refused(lone: Ledger, source: Any) -> None:  # noqa: ANN401 (as above)
    with pytest.raises(FieldError, match="source_chain: must be a chain id"):
        import_chain_state(lone, {HER: 1}, source)


def test_a_chain_id_may_be_as_large_as_the_evm_has_it(lone: Ledger) -> None:
    for state in ({HER: 1}, [log()]):
        done = import_chain_state(lone, state, 2**256 - 1, dry_run=False)
        assert len(done.entries) == 1


@pytest.mark.parametrize("dry_run", [None, 0, 1, "", "no", 0.0, [], b""])
def test_only_false_itself_books(lone: Ledger, sqlite_url: str, dry_run: Any) -> None:  # noqa: ANN401 (as above)
    """It is looked at before anything else, so that nobody fixes the rest and then books."""
    for state, source in (({HER: 1}, 1), ([log()], 1), ({}, 1), (None, None)):
        with unchanged(sqlite_url), pytest.raises(FieldError, match="dry_run: must be True or F"):
            import_chain_state(lone, state, source, dry_run)  # type: ignore[arg-type]  # as callers may
    with unchanged(sqlite_url), pytest.raises(FieldError, match="dry_run: must be True or False"):
        Bridge(lone).import_chain_state({HER: 1}, 1, dry_run)


def test_no_rows_and_no_transfers(lone: Ledger) -> None:
    approval = Log(HIS, (Hash32(b"\x01" * 32),), b"", log().place)
    for state, skipped in (({}, 0), ([], 0), ([approval], 1)):
        done = import_chain_state(lone, state, 1, dry_run=False)
        assert (done.entries, done.skipped) == ((), skipped)


def test_the_ledgers_own_token_is_not_imported(
    book: Ledger, chain: Chain, owner: Signer, sqlite_url: str
) -> None:
    fund(chain, owner)
    deployed = deploy(book, chain, owner)
    replay(book, chain, owner)
    token = next(it.address for it in deployed.tokens if it.name == "SCI")
    logs = list(chain.logs(token, TRANSFER, 0, chain.block().number))
    with unchanged(sqlite_url), pytest.raises(FieldError, match="those of SCI itself"):
        import_chain_state(book, logs, SOURCE, dry_run=False, asset="GOLD")
