"""The deployment proxy on a chain that has none: stored first, put there once, whatever happens."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.errors import ChainError, TransactionError
from bridge.fees import GWEI
from bridge.outbox import PLACED, Outbox
from bridge.outbox_file import OutboxFile
from bridge.presigned import (
    FUNDING,
    PROXY_CODE,
    PROXY_FEES,
    PROXY_FUNDS,
    PROXY_SENDER,
    PROXY_TRANSACTION,
)
from bridge.proxy import ensure_deployment_proxy
from bridge.sending import Sender
from ledger.addresses import DEPLOYMENT_PROXY
from ledger.model import Address
from tests.bridge import wallet
from tests.bridge.histories import fund
from tests.bridge.killed import STEPS
from tests.bridge.outcomes import BRIEF, HASTY, QUICK, check_outbox
from tests.bridge.test_sending import unmined
from tests.bridge.test_survives import SEND, Once, error, waited
from tests.support.rpc_proxy import RpcProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.outbox import Attempt, Store
    from bridge.patience import Patience
    from tests.bridge.killed import Executioner
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json

BARE = "--disable-default-create2-deployer"


@pytest.fixture(params=["anvil", "hardhat"])
def bare(request: pytest.FixtureRequest, start_anvil: StartNode) -> Iterator[Chain]:
    """Return a connection to each kind of node in turn, on which nobody has put the proxy."""
    is_anvil = request.param == "anvil"
    node: Node = start_anvil(BARE) if is_anvil else request.getfixturevalue("hardhat")
    with Chain.connect(node.url) as connection:
        assert not connection.code(DEPLOYMENT_PROXY, connection.block())
        yield connection


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[OutboxFile]:
    """Return an outbox of its own: nobody needs a ledger for this."""
    with OutboxFile.open(tmp_path / "outbox.db") as store:
        yield store


def ensure(store: Store, chain: Chain, signer: Signer, patience: Patience = QUICK) -> bool:
    with Sender(store, chain, signer, patience=patience) as sender:
        sender.settle()
        return ensure_deployment_proxy(sender)


def made(store: Store, chain: Chain, purpose: str) -> list[Attempt]:
    """Return what was signed for one purpose."""
    return Outbox(store, chain.chain_id).attempts(purpose=purpose)


def is_there(chain: Chain) -> bool:
    return chain.code(DEPLOYMENT_PROXY, chain.block()) == PROXY_CODE


def check_once(store: Store, chain: Chain, signer: Signer) -> None:
    """Check that the proxy is there, its sender was funded once, and all of it was stored."""
    assert is_there(chain)
    receipt = chain.receipt(PROXY_TRANSACTION.hash)
    assert receipt is not None
    left = PROXY_FUNDS - receipt.gas_used * PROXY_FEES.max_fee
    assert chain.balance(PROXY_SENDER) == left
    assert [it.status in PLACED for it in made(store, chain, "proxy")] == [True]
    paid = [it for it in made(store, chain, FUNDING) if it.status in PLACED]
    assert [it.to for it in paid] == [PROXY_SENDER]
    check_outbox(store, chain, signer)


def test_it_is_put_where_it_is_not(outbox: OutboxFile, bare: Chain, signer: Signer) -> None:
    assert ensure(outbox, bare, signer)
    check_once(outbox, bare, signer)
    assert not ensure(outbox, bare, signer)
    signed = Outbox(outbox, bare.chain_id).attempts(sender=signer.address)
    assert [it.purpose for it in signed] == [FUNDING]
    [own] = made(outbox, bare, "proxy")
    assert (own.signed, own.fees, own.sender) == (PROXY_TRANSACTION, PROXY_FEES, PROXY_SENDER)
    assert own.signed.sender == PROXY_SENDER


def test_other_code_in_its_place_is_refused(
    outbox: OutboxFile, chain: Chain, signer: Signer
) -> None:
    chain.request("anvil_setCode", str(DEPLOYMENT_PROXY), "0x6001")
    with pytest.raises(ChainError, match="other code"):
        ensure(outbox, chain, signer)


def test_killed_between_two_steps(
    bare: Chain, signer: Signer, executioner: Executioner, tmp_path: Path
) -> None:
    """The first transaction is the coin, the second the proxy's own."""
    is_anvil = bare.request("web3_clientVersion").lower().startswith("anvil")
    for step, which in product(STEPS, (1, 2)) if is_anvil else (("stored", 1), ("sent", 2)):
        before = bare.request("evm_snapshot")
        file = tmp_path / f"{step}-{which}.db"
        ended = executioner.run(str(file), bare.name, step, which, what="proxy")
        assert ended == -signal.SIGKILL, (step, which)
        with OutboxFile.open(file) as store:
            ensure(store, bare, signer)
            check_once(store, bare, signer)
        assert bare.request("evm_revert", before)


def test_killed_while_nothing_is_mined(
    bare: Chain, signer: Signer, executioner: Executioner, tmp_path: Path
) -> None:
    """The coin waits in the pool: the next run waits for it, and gives no other."""
    file = tmp_path / "killed.db"
    nonce = bare.next_nonce(signer.address)
    with unmined(bare):
        ended = executioner.run(str(file), bare.name, "noted", 1, what="proxy")
        assert ended == -signal.SIGKILL
        assert bare.next_nonce(signer.address) == nonce + 1
    with OutboxFile.open(file) as store:
        ensure(store, bare, signer)
        check_once(store, bare, signer)


def test_what_somebody_else_has_paid_is_not_paid_again(
    start_anvil: StartNode, signer: Signer, executioner: Executioner, tmp_path: Path
) -> None:
    """It was signed and stored, and not needed any more when the next run came."""
    file = tmp_path / "killed.db"
    with Chain.connect(start_anvil(BARE).url) as chain, OutboxFile.open(file) as store:
        ended = executioner.run(str(file), chain.name, "stored", 1, what="proxy")
        assert ended == -signal.SIGKILL
        payer = chain.request("eth_accounts")[3]
        gift = {"from": payer, "to": str(PROXY_SENDER), "value": hex(PROXY_FUNDS)}
        chain.request("eth_sendTransaction", gift)
        waited(lambda: chain.balance(PROXY_SENDER))
        assert ensure(store, chain, signer)
        assert [it.status for it in made(store, chain, FUNDING)] == ["dropped"]
        assert chain.balance(PROXY_SENDER) < PROXY_FUNDS


def test_a_nonce_used_elsewhere_while_the_coin_is_sent(
    outbox: OutboxFile, start_anvil: StartNode, signer: Signer
) -> None:
    """It is signed again, and only because the proxy's sender still has nothing."""
    node = start_anvil(BARE)
    with (
        closing(RpcProxy(node)) as proxy,
        Chain.connect(node.url) as chain,
        Chain.connect(proxy.url) as shaky,
    ):

        def takes_the_nonce(request: Json, forward: Forward) -> Json:
            del forward
            pay = wallet.transact(chain, signer, Address(b"\x42" * 20), gas=21_000)
            wallet.send_and_wait(chain, pay, "using the nonce by hand")
            return error(request, "the connection was lost")

        proxy.behave = Once(SEND, takes_the_nonce, 1, 1)
        assert ensure(outbox, shaky, signer)
        assert next(iter(made(outbox, chain, FUNDING))).status == "dropped"
        check_once(outbox, chain, signer)


def test_two_operators_at_once(
    outbox: OutboxFile, start_anvil: StartNode, signer: Signer, owner: Signer, tmp_path: Path
) -> None:
    """Two stores, two keys, one proxy: each gives its coin once at most, and nobody fails."""
    with (
        Chain.connect(start_anvil(BARE).url) as chain,
        Chain.connect(chain.name) as second,
        OutboxFile.open(tmp_path / "other.db") as other,
        ThreadPoolExecutor(2) as pool,
    ):
        fund(chain, owner)
        runs = [
            pool.submit(ensure, outbox, chain, signer),
            pool.submit(ensure, other, second, owner),
        ]
        for run in runs:
            run.result()
        assert is_there(chain)
        for store, key in ((outbox, signer), (other, owner)):
            check_outbox(store, chain, key)
            assert [it.status in PLACED for it in made(store, chain, FUNDING)].count(True) <= 1


def test_gas_that_costs_more_than_was_signed_for_is_waited_out(
    outbox: OutboxFile, start_anvil: StartNode, signer: Signer
) -> None:
    """Nobody can offer more for the proxy's own transaction: it stays stored until gas is cheap."""
    said: list[str] = []
    with Chain.connect(start_anvil(BARE).url) as chain:
        chain.request("anvil_setBalance", str(PROXY_SENDER), hex(PROXY_FUNDS))
        chain.request("hardhat_setNextBlockBaseFeePerGas", hex(500 * GWEI))
        sender = Sender(outbox, chain, signer, patience=HASTY, say=said.append)
        with ThreadPoolExecutor(1) as pool, sender:
            going = pool.submit(ensure_deployment_proxy, sender)
            waited(lambda: any("is signed for ever: waiting" in one for one in said))
            assert made(outbox, chain, "proxy")[0].status in {"signed", "sent"}
            chain.request("hardhat_setNextBlockBaseFeePerGas", hex(GWEI))
            assert going.result()
        assert is_there(chain)


def test_a_rehearsal_takes_nothing_from_another_chain(
    outbox: OutboxFile, start_anvil: StartNode, signer: Signer, owner: Signer
) -> None:
    """The same bytes make the proxy on every chain: each is followed on the chain it is for."""
    for chain_id, key in (("31337", signer), ("4242", owner), ("31337", signer)):
        with Chain.connect(start_anvil(BARE, "--chain-id", chain_id).url) as chain:
            fund(chain, key)
            assert ensure(outbox, chain, key)
            assert is_there(chain)
            assert made(outbox, chain, "proxy")[0].status in PLACED


def test_a_node_that_takes_nothing_without_a_chain_id(
    outbox: OutboxFile, start_anvil: StartNode, owner: Signer
) -> None:
    """What the first run paid is found by the next one, through another node (EIP-155)."""
    node = start_anvil(BARE, "--chain-id", "4242")
    with (
        closing(RpcProxy(node)) as proxy,
        Chain.connect(node.url) as chain,
        Chain.connect(proxy.url) as strict,
    ):
        fund(chain, owner)

        def refuses(request: Json, forward: Forward) -> Json:
            own = "0x" + PROXY_TRANSACTION.raw.hex()
            if request["method"] == SEND and request["params"] == [own]:
                return error(request, "only replay-protected (EIP-155) transactions allowed")
            return forward(request)

        proxy.behave = refuses
        with pytest.raises(ChainError, match="replay-protected"):
            ensure(outbox, strict, owner, BRIEF)
        assert ensure(outbox, chain, owner)
        check_once(outbox, chain, owner)


def test_a_chain_on_which_it_can_never_be(
    outbox: OutboxFile, start_anvil: StartNode, owner: Signer
) -> None:
    """The sender's only nonce is used there, and no proxy: nobody pays for nothing."""
    with Chain.connect(start_anvil(BARE, "--chain-id", "4242").url) as chain:
        fund(chain, owner)
        chain.request("anvil_setNonce", str(PROXY_SENDER), hex(1))
        with pytest.raises(TransactionError, match="nobody can have"):
            ensure(outbox, chain, owner)
        assert made(outbox, chain, FUNDING) == []
