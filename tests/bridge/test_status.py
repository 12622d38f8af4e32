"""How far the chain has the ledger, before, while and after blocks are taken back."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from bridge.batches import Limits
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.dry_run import preview
from bridge.errors import FeeCapError, NoContractError, OperatorError
from bridge.fees import GWEI, FeePolicy
from bridge.outbox import Outbox
from bridge.replay import replay
from bridge.status import read_status
from bridge.tracking import Confirmed
from tests.bridge import wallet
from tests.bridge.histories import fund
from tests.bridge.outcomes import QUICK, check_exact, check_outbox, statuses
from tests.bridge.test_sending import SLOW
from tests.bridge.test_survives import reorganise, waited
from tests.ledger.support import unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.keys import Signer
    from ledger import Ledger
    from tests.bridge.killed import Executioner
    from tests.support.nodes import Node


def noted(ledger: Ledger) -> list[str]:
    """Return what the outbox says of replays, word for word."""
    with ledger.connection() as connection:
        query = "SELECT status FROM token_submissions WHERE purpose = 'replay' ORDER BY id"
        return [row.status for row in connection.execute(text(query))]


def counts(ledger: Ledger, chain: Chain) -> list[tuple[int, int, int | None, int | None]]:
    return [
        (asset.sealed, asset.mined, asset.safe, asset.finalized)
        for asset in read_status(ledger, chain).assets
    ]


def test_safe_and_finalized_follow_the_chains_own_heads(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    """This Anvil has one slot an epoch: safe is one block behind, finalized two."""
    deploy(book, chain, signer)
    assert counts(book, chain) == [(15, 0, 0, 0), (5, 0, 0, 0)]
    replay(book, chain, signer)
    assert counts(book, chain) == [(15, 15, 15, 15), (5, 5, 3, 0)]
    assert noted(book) == ["finalized", "finalized", "safe", "mined"]
    chain.request("anvil_mine", hex(1))
    assert counts(book, chain)[1] == (5, 5, 5, 3)
    chain.request("anvil_mine", hex(1))
    assert counts(book, chain)[1] == (5, 5, 5, 5)
    assert noted(book) == ["finalized"] * 4
    status = read_status(book, chain)
    assert status.heads.latest == chain.block().number
    assert (status.waiting, status.stuck) == ((), ())
    assert [asset.posted for asset in status.assets] == [15, 5]


def test_what_was_final_is_taken_back_with_its_blocks(
    book: Ledger, rewindable: Chain, signer: Signer
) -> None:
    """Hardhat calls every block final at once, and a snapshot takes it back all the same."""
    deploy(book, rewindable, signer)
    before = rewindable.block()
    snapshot = rewindable.request("evm_snapshot")
    replay(book, rewindable, signer)
    reorganise(rewindable, rewindable.block().number - before.number, snapshot)
    mined = [mined for _, mined, _, _ in counts(book, rewindable)]
    assert mined == [0, 0]
    assert noted(book) == ["sent"] * 4
    for attempt in Outbox(book, rewindable.chain_id).attempts(purpose="replay"):
        assert (attempt.block_number, attempt.block_hash, attempt.gas_used) == (None, None, None)
    assert [it.subject.first_seq for it in read_status(book, rewindable).waiting] == [1, 15, 1, 4]
    replay(book, rewindable, signer, patience=QUICK)
    assert statuses(book) == ["mined"] * 4
    check_exact(book, rewindable, signer)


def test_a_batch_that_a_reorg_moves_to_another_block_is_noted_there(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    deploy(book, any_chain, signer)
    snapshot = any_chain.request("evm_snapshot")
    replay(book, any_chain, signer)
    first, *_ = made = Outbox(book, any_chain.chain_id).attempts(purpose="replay")
    any_chain.request("evm_revert", snapshot)
    any_chain.request("evm_mine")
    for attempt in made:
        any_chain.send(attempt.signed)
        wallet.wait(any_chain, attempt.signed.hash)
    read_status(book, any_chain)
    moved, *_ = Outbox(book, any_chain.chain_id).attempts(purpose="replay")
    assert moved.signed == first.signed
    assert moved.block_number == (first.block_number or 0) + 1
    check_exact(book, any_chain, signer)


def test_blocks_taken_back_while_confirmations_are_waited_for(
    book: Ledger, fresh_anvil: Node, signer: Signer
) -> None:
    with Chain.connect(fresh_anvil.url) as chain:
        deploy(book, chain, signer)
        before = chain.block().number
        said: list[str] = []
        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(
                replay, book, chain, signer, patience=SLOW, confirmed=Confirmed(4), say=said.append
            )
            waited(lambda: any("4 blocks deep" in one for one in said))
            chain.request("anvil_reorg", chain.block().number - before, [])
            waited(lambda: mines_until(chain, going.done))
            assert going.result().entries == 20
        check_exact(book, chain, signer)


def mines_until(chain: Chain, done: Callable[[], bool]) -> bool:
    """Mine another block unless all is done."""
    if not done():
        chain.request("evm_mine")
    return done()


@pytest.mark.parametrize("step", ["sent", "noted", "mined"])
def test_what_was_mined_after_its_run_ended_is_not_under_way(
    *, book: Ledger, sqlite_url: str, any_chain: Chain, signer: Signer, executioner: Executioner,
    step: str,
) -> None:  # fmt: skip
    """Nobody has come to note it: the chain is asked, and what is then run sends nothing twice."""
    deploy(book, any_chain, signer)
    assert executioner.run(sqlite_url, any_chain.name, step, 1) == -signal.SIGKILL
    wallet.wait(any_chain, Outbox(book, any_chain.chain_id).attempts()[-1].signed.hash)
    status = read_status(book, any_chain)
    assert (status.waiting, status.stuck) == ((), ())
    assert statuses(book) == ["mined"]
    check_outbox(book, any_chain, signer)
    replay(book, any_chain, signer, patience=QUICK)
    check_exact(book, any_chain, signer)


# --- before ---


def test_a_dry_run_says_what_is_then_sent_and_changes_nothing(
    book: Ledger, sqlite_url: str, any_chain: Chain, signer: Signer
) -> None:
    deploy(book, any_chain, signer)
    nonce, block = any_chain.next_nonce(signer.address), any_chain.block()
    with unchanged(sqlite_url):
        seen = preview(book, any_chain, signer)
    assert any_chain.block() == block
    assert (seen.nonce, seen.transactions, seen.entries, seen.is_funded) == (nonce, 4, 20, True)
    assert seen.cost == seen.gas * seen.gas_price
    report = replay(book, any_chain, signer)
    assert [(it.transactions, it.entries) for it in seen.assets] == [
        (it.batches, it.entries) for it in report.assets
    ]
    assert abs(seen.gas - report.gas_used) * 50 < report.gas_used  # estimates have some room
    assert report.cost > 0
    assert preview(book, any_chain, signer).transactions == 0


def test_a_dry_run_cuts_as_the_replay_does(book: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(book, chain, signer)
    limits = Limits(entries=3)
    seen = preview(book, chain, signer, limits=limits)
    report = replay(book, chain, signer, limits=limits)
    assert seen.transactions == report.batches == 8
    check_exact(book, chain, signer)


def test_a_dry_run_refuses_what_the_replay_would(
    book: Ledger, chain: Chain, signer: Signer, owner: Signer
) -> None:
    with pytest.raises(NoContractError):
        preview(book, chain, signer)
    deploy(book, chain, signer)
    with pytest.raises(OperatorError):
        preview(book, chain, owner)
    with pytest.raises(FeeCapError):
        preview(book, chain, signer, fees=FeePolicy(max_fee=1))
    chain.request("anvil_setBalance", str(signer.address), hex(GWEI))
    assert not preview(book, chain, signer).is_funded
    fund(chain, signer)
