"""Before a token goes live: every reason against it, races, and runs that were cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.batches import make_run
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import (
    ChainError,
    CustodyError,
    ForeignHistoryError,
    NoContractError,
    NotFinalizableError,
    ObstacleKind,
    OperatorError,
    RevertedError,
)
from bridge.live import finalize, plan_finalize
from bridge.live_obstacles import DEFAULT_CHECKS, Checks
from bridge.live_operators import accept_operator, read_operator, transfer_operator
from bridge.patience import Patience
from bridge.positions import locate
from bridge.replay import replay
from bridge.tokens import read_token
from bridge.verify import verify
from ledger import Address, ConflictError, Ledger, RefusedError, Rule
from ledger.times import moment_of
from tests.bridge.histories import FIRST_MOMENT, fund, seal_all
from tests.bridge.lives import WALLET, holders, send, token_of
from tests.ledger.support import attacker
from tests.support.rpc_proxy import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.keys import Signer
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json, RpcProxy


@pytest.fixture
def book(sqlite_url: str) -> Iterator[Ledger]:
    """Return a sealed ledger whose registrar is a key of its own."""
    with holders(sqlite_url) as ledger:
        yield ledger


@pytest.fixture
def mirrored(book: Ledger, chain: Chain, signer: Signer) -> Ledger:
    """Return it on a chain, whole."""
    deploy(book, chain, signer)
    replay(book, chain, signer)
    return book


@pytest.fixture
def public(start_anvil: StartNode, owner: Signer) -> Iterator[Chain]:
    """Return a chain that may be worth something, as far as anybody can tell."""
    with Chain.connect(start_anvil("--chain-id", "10").url) as connection:
        fund(connection, owner)
        yield connection


def kinds(
    ledger: Ledger,
    chain: Chain,
    signer: Signer,
    checks: Checks = DEFAULT_CHECKS,
    symbol: str | None = None,
) -> set[ObstacleKind]:
    """Return what stands in the way."""
    with pytest.raises(NotFinalizableError) as refused:
        plan_finalize(ledger, chain, signer, symbol, checks=checks)
    with pytest.raises(NotFinalizableError) as again:
        finalize(ledger, chain, signer, symbol, checks=checks)
    assert str(again.value) == str(refused.value)
    return {obstacle.kind for obstacle in refused.value.obstacles}


def sealed(ledger: Ledger) -> None:
    ledger.mint("alice", 1)
    seal_all(ledger)


IN_THE_WAY: dict[
    ObstacleKind,
    tuple[Callable[[Ledger, Chain, Signer], object], Callable[[Ledger, Chain, Signer], object]],
] = {
    ObstacleKind.HOLD_PENDING: (
        lambda it, *_: it.hold("alice", 1),
        lambda it, *_: it.void_hold(next(it.holds()).id),
    ),
    ObstacleKind.ACCOUNT_FROZEN: (
        lambda it, *_: it.freeze_account("carol"),
        lambda it, *_: it.reopen_account("carol"),
    ),
    ObstacleKind.NOT_SEALED: (
        lambda it, *_: it.mint("alice", 1),
        lambda it, chain, key: (it.seal(), replay(it, chain, key)),
    ),
    ObstacleKind.NOT_REPLAYED: (
        lambda it, *_: sealed(it),
        replay,
    ),
    ObstacleKind.OPERATOR_PENDING: (
        lambda it, chain, key: transfer_operator(it, chain, key, WALLET.address),
        lambda it, chain, key: transfer_operator(it, chain, key, None),
    ),
}


@pytest.mark.parametrize("kind", IN_THE_WAY)
def test_what_stands_in_the_way_and_goes_away(
    mirrored: Ledger, chain: Chain, signer: Signer, kind: ObstacleKind
) -> None:
    put, take_away = IN_THE_WAY[kind]
    put(mirrored, chain, signer)
    assert kinds(mirrored, chain, signer) == {kind}
    assert read_operator(mirrored, chain).operator == signer.address
    take_away(mirrored, chain, signer)
    assert finalize(mirrored, chain, signer).last_seq == mirrored.head().seq


def test_another_key(mirrored: Ledger, chain: Chain, owner: Signer, signer: Signer) -> None:
    assert kinds(mirrored, chain, owner) == {ObstacleKind.NOT_OPERATOR}
    fund(chain, owner)
    transfer_operator(mirrored, chain, signer, owner.address)
    accept_operator(mirrored, chain, owner)
    assert kinds(mirrored, chain, signer) == {ObstacleKind.NOT_OPERATOR}
    assert not finalize(mirrored, chain, owner).was_live


def test_an_altered_ledger(mirrored: Ledger, sqlite_url: str, chain: Chain, signer: Signer) -> None:
    with attacker(sqlite_url) as database:
        database.run("UPDATE token_ledger SET amount = ? WHERE seq = 2", database.amount(501))
    assert kinds(mirrored, chain, signer) == {ObstacleKind.MISMATCH}
    assert kinds(mirrored, chain, signer, Checks(level=1)) == {ObstacleKind.MISMATCH}


def test_an_altered_balance_is_found_from_level_2_on(
    mirrored: Ledger, sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    with attacker(sqlite_url) as database:
        row = "UPDATE token_balances SET balance = ? WHERE account_id = 'bob'"
        database.run(row, database.amount(501))
    assert kinds(mirrored, chain, signer) == {ObstacleKind.MISMATCH}
    assert plan_finalize(mirrored, chain, signer, checks=Checks(level=1)).last_seq == 4


def test_an_empty_journal(sqlite_url: str, chain: Chain, signer: Signer) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "SCI token")
        deploy(ledger, chain, signer)
        assert kinds(ledger, chain, signer) == {ObstacleKind.NOTHING_THERE}


def test_a_token_that_is_not_there(book: Ledger, chain: Chain, signer: Signer) -> None:
    for step in (plan_finalize, finalize):
        with pytest.raises(NoContractError, match="chain deploy"):
            step(book, chain, signer)


def test_other_assets_are_not_in_the_way(mirrored: Ledger, chain: Chain, signer: Signer) -> None:
    mirrored.create_asset("GOLD", "Gold")
    mirrored.mint("alice", 5, asset="GOLD")
    mirrored.hold("alice", 5, asset="GOLD")
    deploy(mirrored, chain, signer)
    assert not finalize(mirrored, chain, signer, "SCI").was_live
    with pytest.raises(RefusedError, match="ASSET_REQUIRED"):
        finalize(mirrored, chain, signer)
    assert ObstacleKind.HOLD_PENDING in kinds(mirrored, chain, signer, symbol="GOLD")


# --- where it is worth something ---


def test_on_a_public_chain(database_url: str, public: Chain, owner: Signer, signer: Signer) -> None:
    with Ledger.create(database_url) as ledger:  # its registrar is the key in the database
        ledger.create_asset("SCI", "SCI token")
        ledger.create_account("alice", 10)
        ledger.seal()
        deploy(ledger, public, owner, allow_own_registrar=True)
        replay(ledger, public, owner)
        own, final = ObstacleKind.OWN_REGISTRAR, ObstacleKind.NOT_FINAL
        assert kinds(ledger, public, owner) == {own, final}
        assert kinds(ledger, public, owner, Checks(allow_own_registrar=True)) == {final}
        public.request("anvil_mine", "0x5")
        assert kinds(ledger, public, owner) == {own}
        with pytest.raises(CustodyError, match="everybody has the key"):
            finalize(ledger, public, signer, checks=Checks(allow_own_registrar=True))
        report = finalize(ledger, public, owner, checks=Checks(allow_own_registrar=True))
        assert report.closed
        with pytest.raises(RefusedError) as refused:
            ledger.mint("alice", 1)
        assert refused.value.rule is Rule.ASSET_CLOSED
        assert verify(ledger, public).agree


def test_a_rehearsal_leaves_the_ledger_open(mirrored: Ledger, chain: Chain, signer: Signer) -> None:
    assert not finalize(mirrored, chain, signer).closed
    sealed(mirrored)
    with pytest.raises(OperatorError, match="is live, nothing can be replayed"):
        replay(mirrored, chain, signer)
    with pytest.raises(ForeignHistoryError, match="went live with entry 4, and the ledger has 5"):
        finalize(mirrored, chain, signer)
    [mismatch] = verify(mirrored, chain, 2).mismatches
    assert mismatch.kind == "not-replayed"


# --- races, and runs that were cut short ---


def test_what_is_posted_meanwhile(mirrored: Ledger, chain: Chain, signer: Signer) -> None:
    with pytest.raises(ConflictError, match="the last entry is 5, not 4"):
        finalize(mirrored, chain, signer, close=True, confirm=lambda _: sealed(mirrored))
    assert not mirrored.head().closed
    assert read_operator(mirrored, chain).operator == signer.address
    replay(mirrored, chain, signer)
    assert finalize(mirrored, chain, signer, close=True).last_seq == 5


def test_what_is_replayed_meanwhile(mirrored: Ledger, chain: Chain, signer: Signer) -> None:
    """In a rehearsal nothing keeps the ledger still; the contract does not go live with less."""

    def go_on(_: object) -> None:
        sealed(mirrored)
        _replay_elsewhere(mirrored, chain, signer)

    with pytest.raises(RevertedError) as reverted:
        finalize(mirrored, chain, signer, confirm=go_on)
    assert reverted.value.name == "StaleHistory"
    assert finalize(mirrored, chain, signer).last_seq == 5


def _replay_elsewhere(ledger: Ledger, chain: Chain, signer: Signer) -> None:
    """Replay the last batch as another program with the operator's key would."""
    token = read_token(chain, ledger.identity, ledger.asset(), chain.block())
    batches = [it for seal in ledger.seals() for it in seal.batches]
    at = locate(ledger, chain, token, batches)
    entries = list(ledger.entries(None, at.last_seq + 1))
    run = make_run(ledger.identity.domain, token.asset.id, entries, at)
    batch = run.batch
    arguments = (run.prev_history, batch.new_head, batch.tree_root, run.payload)
    send(chain, signer, token.address, "replay(bytes32,bytes32,bytes32,bytes)", *arguments)


def test_a_refusal_by_the_contract_opens_the_asset_again(
    mirrored: Ledger, chain: Chain, signer: Signer, owner: Signer
) -> None:
    """Its operator changes between the question and the answer."""
    fund(chain, owner)
    token = token_of(mirrored, chain)

    def hand_over(_: object) -> None:
        send(chain, signer, token, "transferOperator(address)", owner.address)
        send(chain, owner, token, "acceptOperator()")

    with pytest.raises(RevertedError) as reverted:
        finalize(mirrored, chain, signer, close=True, confirm=hand_over)
    assert reverted.value.name == "NotOperator"
    assert not mirrored.head().closed
    assert mirrored.mint("alice", 1).seq == 5


@pytest.mark.parametrize("arrives", [True, False])
def test_an_outcome_that_is_not_known(
    mirrored: Ledger, anvil: Node, rpc_proxy: RpcProxy, signer: Signer, *, arrives: bool
) -> None:
    """The node takes the transaction, or not, and never answers again: the asset stays closed."""
    broken: list[str] = []

    def behave(request: Json, forward: Forward) -> Json:
        if broken or request["method"] == "eth_sendRawTransaction":
            if arrives and not broken:
                forward(request)
            broken.append(request["method"])
            raise Dropped
        return forward(request)

    with Chain.connect(rpc_proxy.url) as proxied:
        rpc_proxy.behave = behave
        with pytest.raises(ChainError):
            finalize(mirrored, proxied, signer, close=True, patience=Patience(silence=0.1))
    assert broken[0] == "eth_sendRawTransaction"
    assert mirrored.head().closed
    with Chain.connect(anvil.url) as chain:
        report = finalize(mirrored, chain, signer, close=True)
        assert (report.was_live, report.closed) == (True, True)
        assert read_operator(mirrored, chain).operator is None
        assert verify(mirrored, chain).agree


def test_a_chain_that_takes_it_back(book: Ledger, any_chain: Chain, signer: Signer) -> None:
    """The asset stays closed while nobody can tell, and the next run makes the token live again."""
    deploy(book, any_chain, signer)
    replay(book, any_chain, signer)
    before = any_chain.request("evm_snapshot")
    assert not finalize(book, any_chain, signer, close=True).was_live
    assert any_chain.request("evm_revert", before)
    assert read_operator(book, any_chain).operator == signer.address
    with pytest.raises(RefusedError, match="ASSET_CLOSED"):
        book.mint("alice", 1)
    assert finalize(book, any_chain, signer, close=True).closed
    assert read_operator(book, any_chain).operator is None
    assert verify(book, any_chain).agree


def test_a_hold_that_is_due_is_released_with_the_next_posting(
    sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    now = [FIRST_MOMENT]
    with Ledger.create(sqlite_url, clock=lambda: now[0]) as ledger:
        ledger.create_asset("SCI", "SCI token")
        ledger.create_account("alice", 10)
        ledger.hold("alice", 3, expires_at=moment_of(FIRST_MOMENT + 10**6))
        seal_all(ledger)
        deploy(ledger, chain, signer)
        replay(ledger, chain, signer)
        now[0] += 10**9
        assert kinds(ledger, chain, signer) == {ObstacleKind.HOLD_PENDING}
        sealed(ledger)
        replay(ledger, chain, signer)
        assert finalize(ledger, chain, signer).last_seq == 2


def test_live_by_another_way(mirrored: Ledger, chain: Chain, signer: Signer) -> None:
    """Whoever has the operator's key needs no bridge: the next run finds it, and closes."""
    planned = plan_finalize(mirrored, chain, signer)
    token = planned.token
    send(chain, signer, token, "finalize(bytes32,uint64)", planned.history, planned.last_seq)
    assert plan_finalize(mirrored, chain, signer).is_live
    report = finalize(mirrored, chain, signer, close=True)
    assert (report.was_live, report.closed, report.transaction) == (True, True, None)
    assert (report.history, report.last_seq) == (planned.history, planned.last_seq)


def test_nothing_is_sent_unless_it_is_confirmed(
    mirrored: Ledger, chain: Chain, signer: Signer
) -> None:
    class NoError(Exception):
        pass

    def refuse(_: object) -> None:
        raise NoError

    block = chain.block()
    with pytest.raises(NoError):
        finalize(mirrored, chain, signer, close=True, confirm=refuse)
    assert (chain.block(), mirrored.head().closed) == (block, False)


# --- operators ---


def test_offers_that_cannot_be_made(
    mirrored: Ledger, chain: Chain, signer: Signer, owner: Signer
) -> None:
    with pytest.raises(RefusedError, match="address zero"):
        transfer_operator(mirrored, chain, signer, Address(bytes(20)))
    with pytest.raises(RefusedError, match="is the operator already"):
        transfer_operator(mirrored, chain, signer, signer.address)
    with pytest.raises(OperatorError, match="the token's operator is"):
        transfer_operator(mirrored, chain, owner, WALLET.address)
    with pytest.raises(OperatorError, match="was offered to nobody"):
        accept_operator(mirrored, chain, owner)
    finalize(mirrored, chain, signer)
    with pytest.raises(OperatorError, match="is live"):
        transfer_operator(mirrored, chain, signer, owner.address)
    with pytest.raises(OperatorError, match="is live"):
        accept_operator(mirrored, chain, owner)


def test_no_public_key_becomes_operator_where_it_is_worth_something(
    book: Ledger, public: Chain, signer: Signer, owner: Signer
) -> None:
    deploy(book, public, owner)
    with pytest.raises(CustodyError, match="everybody has the key"):
        transfer_operator(book, public, owner, signer.address)
    send(public, owner, token_of(book, public), "transferOperator(address)", signer.address)
    with pytest.raises(CustodyError, match="everybody has the key"):
        accept_operator(book, public, signer)
    assert transfer_operator(book, public, owner, None).pending is None
