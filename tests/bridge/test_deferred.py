"""A deferral on a chain: resumed wherever it was stopped, and never announced falsely."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.batches import Limits
from bridge.chain import Chain
from bridge.deferral import LIMIT, Row, announce
from bridge.deferred import read_standing
from bridge.deploy import deploy
from bridge.dry_run import preview
from bridge.errors import ForeignHistoryError, NotFinalizableError
from bridge.live import finalize
from bridge.plan import plan
from bridge.replay import replay
from bridge.tokens import read_balances, read_batches, read_token
from bridge.verify import verify
from ledger import CorruptError, FieldError, Ledger, Movement
from ledger.model import Address, Hash32
from tests.bridge import wallet
from tests.bridge.histories import (
    LEDGER_ID,
    PEPPER,
    altered_copy,
    fund,
    post,
    seal_all,
    steady_clock,
)
from tests.bridge.killed import STEPS
from tests.bridge.outcomes import QUICK, check_exact, statuses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.progress import Progress
    from bridge.tokens import Token
    from tests.bridge.killed import Executioner
    from tests.support.nodes import Node

SYMBOL: Final = "SCI"
DEFERRED: Final = "LedgerTokenDeferred/1"
NAMES: Final = [f"account {number}" for number in range(60)]
NOTHING: Final = "UPDATE token_settings SET sealed = sealed"
"""What leaves a copy as it was."""
SEVEN: Final = "UPDATE token_ledger SET balance_after_to = x'" + 31 * "00" + "07' WHERE seq = 360"
FEW: Final = Limits(gas=500_000)
"""What makes a settlement go through in several transactions: sixteen rows each."""


def new_ledger(url: str, names: list[str] = NAMES) -> Ledger:
    """Make a ledger in which every account had something in the first of six batches."""
    ledger = Ledger.create(url, ledger_id=LEDGER_ID, pepper=PEPPER, clock=steady_clock())
    ledger.create_asset(SYMBOL, "SCI token", 18, token_version=DEFERRED)
    for name in names:
        ledger.create_account(name, 1_000, asset=SYMBOL)
    seal_all(ledger)
    for amount in (3, 5, 7, 11, 13):
        go_round(ledger, names, amount)
    return ledger


def go_round(ledger: Ledger, names: list[str], amount: int) -> None:
    """Let everybody pay the next, and seal."""
    pairs = zip(names, [*names[1:], names[0]], strict=True)
    post(
        ledger,
        *(Movement(a, b, amount + n, asset=SYMBOL) for n, (a, b) in enumerate(pairs)),
    )
    seal_all(ledger)


@pytest.fixture(scope="session")
def long_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database of a ledger of sixty accounts and six batches; copy it."""
    path = tmp_path_factory.mktemp("long") / "ledger.db"
    new_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def long(long_book: Path, tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger of sixty accounts and six batches, in which a deferral pays."""
    shutil.copy(long_book, tmp_path / "ledger.db")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock=steady_clock()) as it:
        yield it


@pytest.fixture
def short(sqlite_url: str) -> Iterator[Ledger]:
    """Return a ledger of three accounts and six batches, in which it does not."""
    with new_ledger(sqlite_url, ["alice", "bob", "carol"]) as ledger:
        yield ledger


def token_of(ledger: Ledger, chain: Chain) -> Token:
    return read_token(chain, ledger.identity, ledger.asset(SYMBOL), chain.block())


def events(ledger: Ledger, chain: Chain) -> tuple[int, int]:
    """Return how often a deferral was announced, and how often one was settled."""
    begun = [log for log in logs(ledger, chain) if len(log.data) == 128 and not log.topics[1:]]
    done = [log for log in logs(ledger, chain) if len(log.data) == 96 and not log.topics[1:]]
    return len(begun), len(done)


def logs(ledger: Ledger, chain: Chain) -> list[Any]:
    """Return every log of the token."""
    return list(chain.logs(token_of(ledger, chain).address, None, 0, chain.block().number))


# --- the whole way ---


def test_a_long_history_is_deferred(long: Ledger, any_chain: Chain, signer: Signer) -> None:
    deploy(long, any_chain, signer)
    steps: list[Progress] = []
    report = replay(long, any_chain, signer, progress=steps.append)
    assert (report.batches, report.entries) == (6, 360)
    assert events(long, any_chain) == (1, 1)
    assert statuses(long, "defer") == statuses(long, "settle") == ["mined"]
    assert {(it.done, it.total) for it in steps if it.step == "SCI balances"} == {(60, 60)}
    balances = list(long.balances(SYMBOL))
    found = read_balances(
        any_chain,
        token_of(long, any_chain).address,
        [it.address for it in balances],
        any_chain.block(),
    )
    assert list(found) == [it.balance for it in balances]
    check_exact(long, any_chain, signer)
    assert replay(long, any_chain, signer).gas_used == 0


def test_a_short_one_is_not(short: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(short, chain, signer)
    replay(short, chain, signer)
    assert events(short, chain) == (0, 0)
    check_exact(short, chain, signer)


def test_unless_told_so(short: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(short, chain, signer)
    replay(short, chain, signer, mode="deferred")
    assert events(short, chain) == (1, 1)
    check_exact(short, chain, signer)


def test_a_long_one_may_be_exact(long: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(long, chain, signer)
    deferred = replay(long, chain, signer, mode="exact").gas_used
    assert events(long, chain) == (0, 0)
    check_exact(long, chain, signer)
    assert deferred > 0


def test_it_costs_less(
    long: Ledger, sqlite_url: str, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    copy = altered_copy(sqlite_url, NOTHING, tmp_path)
    deploy(long, chain, signer)
    snapshot = chain.request("evm_snapshot")
    exact = replay(long, chain, signer, mode="exact").gas_used
    assert chain.request("evm_revert", snapshot)
    with Ledger.open(copy) as same:
        deferred = replay(same, chain, signer).gas_used
    assert deferred < 0.9 * exact


@pytest.mark.parametrize("stop", [None, 2, 3, 8])
def test_what_it_takes_is_known_before(
    long: Ledger, chain: Chain, signer: Signer, stop: int | None
) -> None:
    deploy(long, chain, signer)
    if stop is not None:
        with pytest.raises(Stopped):
            replay(long, chain, signer, limits=FEW, progress=stop_at(stop))
        go_round(long, NAMES, 17)
    seen = preview(long, chain, signer, limits=FEW)
    nonce = chain.next_nonce(signer.address)
    report = replay(long, chain, signer, limits=FEW)
    assert chain.next_nonce(signer.address) - nonce == seen.transactions
    assert seen.entries == report.entries
    assert abs(seen.gas - report.gas_used) < 0.03 * report.gas_used


def test_what_comes_later_is_exact_or_deferred_again(
    long: Ledger, chain: Chain, signer: Signer
) -> None:
    deploy(long, chain, signer)
    replay(long, chain, signer)
    go_round(long, NAMES, 9)
    replay(long, chain, signer)  # one batch: every balance is written once anyway
    assert events(long, chain) == (1, 1)
    for amount in (11, 13):
        go_round(long, NAMES, amount)
    replay(long, chain, signer, mode="deferred")
    assert events(long, chain) == (2, 2)
    check_exact(long, chain, signer)


# --- stopped, and run again ---


class Stopped(Exception):  # noqa: N818 (what a test does to a run)
    """A run ended here."""


def stop_at(step: int) -> Any:  # noqa: ANN401 (a callback of replay)
    """Return a progress callback that ends the run at the given call."""
    left = [step]

    def progress(_: Progress) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped

    return progress


def test_it_goes_on_wherever_it_was_stopped(long: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(long, chain, signer)
    seen = set()
    for step in range(100):
        standing = read_standing(chain, token_of(long, chain), chain.block())
        seen.add((token_of(long, chain).last_seq, standing.final_seq, standing.settlement))
        try:
            replay(long, chain, signer, limits=FEW, progress=stop_at(1 + step % 2))
        except Stopped:
            continue
        break
    assert len(seen) > 8, "several stops between two batches, and between two pieces"
    assert events(long, chain) == (1, 1)
    assert len(statuses(long, "settle")) == 4
    check_exact(long, chain, signer)


def test_killed_between_any_two_steps(
    long: Ledger, sqlite_url: str, chain: Chain, signer: Signer, executioner: Executioner
) -> None:
    deploy(long, chain, signer)
    reached = []
    for step in STEPS:
        assert executioner.run(sqlite_url, chain.name, step, 1) == -signal.SIGKILL
        token = token_of(long, chain)
        reached.append((token.deferring, token.last_seq))
    assert reached[0] == (False, 0)
    assert reached[-1] >= (True, 60)
    replay(long, chain, signer, patience=QUICK)
    assert events(long, chain) == (1, 1)
    check_exact(long, chain, signer)


def test_killed_while_it_settles(
    long: Ledger, sqlite_url: str, any_chain: Chain, signer: Signer, executioner: Executioner
) -> None:
    deploy(long, any_chain, signer)
    with pytest.raises(Stopped):
        replay(long, any_chain, signer, progress=stop_at(7))
    for step in ("signed", "stored"):
        assert executioner.run(sqlite_url, any_chain.name, step, 1) == -signal.SIGKILL
        assert token_of(long, any_chain).deferring
    replay(long, any_chain, signer, patience=QUICK)
    assert events(long, any_chain) == (1, 1)
    check_exact(long, any_chain, signer)


@pytest.mark.parametrize("depth", [1, 7, 8])
def test_blocks_that_are_taken_back_come_again(
    long: Ledger, fresh_anvil: Node, signer: Signer, depth: int
) -> None:
    """Of the settlement, of the batches, and the announcement itself."""
    with Chain.connect(fresh_anvil.url) as chain:
        deploy(long, chain, signer)
        replay(long, chain, signer)
        assert not token_of(long, chain).deferring
        chain.request("anvil_reorg", depth, [])
        assert token_of(long, chain).deferring == (depth < 8)
        replay(long, chain, signer, patience=QUICK)
        assert events(long, chain) == (1, 1)
        check_exact(long, chain, signer)


def test_blocks_taken_back_where_nothing_reorganises(
    long: Ledger, hardhat: Node, signer: Signer
) -> None:
    """Hardhat goes back to a snapshot: the settlement and most of the batches are gone."""
    with Chain.connect(hardhat.url) as chain:
        deploy(long, chain, signer)
        with pytest.raises(Stopped):
            replay(long, chain, signer, progress=stop_at(2))
        before = token_of(long, chain)
        snapshot = chain.request("evm_snapshot")
        replay(long, chain, signer)
        assert not token_of(long, chain).deferring
        assert chain.request("evm_revert", snapshot)
        assert token_of(long, chain) == before
        assert before.deferring
        replay(long, chain, signer, patience=QUICK)
        assert events(long, chain) == (1, 1)
        check_exact(long, chain, signer)


def test_entries_sealed_meanwhile_come_after_it(long: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(long, chain, signer)
    with pytest.raises(Stopped):
        replay(long, chain, signer, progress=stop_at(3))
    token = token_of(long, chain)
    assert (token.deferring, token.last_seq) == (True, 120)
    go_round(long, NAMES, 9)
    report = replay(long, chain, signer)
    assert report.batches == 5
    assert events(long, chain) == (1, 1)
    check_exact(long, chain, signer)


def test_an_announcement_that_nothing_followed_is_made_anew(
    long: Ledger, chain: Chain, signer: Signer
) -> None:
    deploy(long, chain, signer)
    token = token_of(long, chain)
    _send(chain, signer, token, announce(Hash32(b"\1" * 32), 7, [Row(Address(b"\2" * 20), 0, 1)]))
    assert token_of(long, chain).deferring
    replay(long, chain, signer)
    assert events(long, chain) == (2, 1)
    check_exact(long, chain, signer)


def _send(chain: Chain, signer: Signer, token: Token, plan: Any) -> None:  # noqa: ANN401 (what is announced)
    """Announce something behind the back of the ledger."""
    data = plan.begin_call()
    signed = wallet.transact(chain, signer, token.address, data, gas=300_000)
    wallet.send_and_wait(chain, signed, "announcing")


# --- what must not be sent ---


def test_a_false_balance_is_not_announced(
    long: Ledger, sqlite_url: str, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    deploy(long, chain, signer)
    nonce = chain.next_nonce(signer.address)
    with (
        Ledger.open(altered_copy(sqlite_url, SEVEN, tmp_path)) as altered,
        pytest.raises(CorruptError, match="audit"),
    ):
        replay(altered, chain, signer)
    assert chain.next_nonce(signer.address) == nonce


def test_another_ledgers_announcement_is_not_followed(
    long: Ledger, sqlite_url: str, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    deploy(long, chain, signer)
    with pytest.raises(Stopped):
        replay(long, chain, signer, progress=stop_at(2))
    assert token_of(long, chain).last_seq == 60
    nonce = chain.next_nonce(signer.address)
    with (
        Ledger.open(altered_copy(sqlite_url, SEVEN, tmp_path)) as altered,
        pytest.raises(ForeignHistoryError, match="does not come to the history or the balances"),
    ):
        replay(altered, chain, signer)
    assert chain.next_nonce(signer.address) == nonce
    replay(long, chain, signer)
    check_exact(long, chain, signer)


def test_other_cuts_do_not_lead_there(long: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(long, chain, signer)
    cut = Limits(entries=15)
    with pytest.raises(Stopped):
        replay(long, chain, signer, limits=cut, progress=stop_at(2))
    with pytest.raises(ForeignHistoryError, match="give the same ones"):
        replay(long, chain, signer)
    replay(long, chain, signer, limits=cut)
    assert len(read_batches(chain, token_of(long, chain), chain.block())) == 24
    check_exact(long, chain, signer)


def test_a_ledger_that_is_behind_does_not_go_on(
    long: Ledger, sqlite_url: str, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    old = altered_copy(sqlite_url, NOTHING, tmp_path)
    deploy(long, chain, signer)
    go_round(long, NAMES, 9)
    with pytest.raises(Stopped):
        replay(long, chain, signer, progress=stop_at(2))
    with (
        Ledger.open(old) as behind,
        pytest.raises(ForeignHistoryError, match="sealed entries up to 360 only"),
    ):
        replay(behind, chain, signer)


def test_the_mode_must_be_possible(long: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(long, chain, signer)
    with pytest.raises(Stopped):
        replay(long, chain, signer, progress=stop_at(2))
    with pytest.raises(FieldError, match="without --mode exact"):
        replay(long, chain, signer, mode="exact")
    replay(long, chain, signer)


def test_only_some_tokens_can(book: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(book, chain, signer)
    with pytest.raises(FieldError, match="LedgerToken/1, which cannot defer"):
        replay(book, chain, signer, mode="deferred")


def test_what_moves_too_much_is_exact(short: Ledger, chain: Chain, signer: Signer) -> None:
    short.mint("alice", LIMIT, asset=SYMBOL)
    seal_all(short)
    deploy(short, chain, signer)
    with pytest.raises(FieldError, match=r"its entries move more than 2\*\*254 - 1"):
        replay(short, chain, signer, mode="deferred")
    replay(short, chain, signer)
    check_exact(short, chain, signer)


# --- what verify says of it ---


def test_verify_says_what_is_not_settled(long: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(long, chain, signer)
    with pytest.raises(Stopped):
        replay(long, chain, signer, progress=stop_at(7))
    for level in (1, 2, 3):
        report = verify(long, chain, level)
        assert [str(it.kind) for it in report.mismatches] == ["not-settled"]
        assert report.assets[0].balances == 0
    replay(long, chain, signer)
    assert verify(long, chain, 3).agree


def test_only_a_settled_token_goes_live(long: Ledger, chain: Chain, owner: Signer) -> None:
    fund(chain, owner)
    deploy(long, chain, owner)
    with pytest.raises(Stopped):
        replay(long, chain, owner, progress=stop_at(7))
    with pytest.raises(NotFinalizableError, match="not-settled"):
        finalize(long, chain, owner)
    assert not token_of(long, chain).live
    replay(long, chain, owner)
    finalize(long, chain, owner)
    assert token_of(long, chain).live
    assert verify(long, chain, 3).agree


# --- what is planned without a chain ---


@pytest.mark.parametrize("limits", [Limits(), FEW])
def test_a_plan_says_what_a_deferral_takes(
    long: Ledger, any_chain: Chain, signer: Signer, limits: Limits
) -> None:
    expected = plan(long, limits=limits)
    assert [it.deferred for it in expected.assets] == [True]
    deploy(long, any_chain, signer)
    nonce = any_chain.next_nonce(signer.address)
    report = replay(long, any_chain, signer, limits=limits)
    assert any_chain.next_nonce(signer.address) - nonce == expected.today.replay.transactions
    assert abs(expected.today.replay.gas - report.gas_used) < 0.03 * report.gas_used
    assert expected.planned.replay.gas > expected.today.replay.gas


def test_a_plan_of_a_short_history_is_exact(short: Ledger) -> None:
    expected = plan(short)
    assert [it.deferred for it in expected.assets] == [False]
    assert expected.today.replay.transactions == 6
