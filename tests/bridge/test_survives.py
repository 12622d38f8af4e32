"""Whatever happens to a replay, the chain ends with the ledger's history, and nothing twice."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import text

from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import ChainError
from bridge.fees import GWEI, FeePolicy
from bridge.outbox import Outbox
from bridge.replay import replay
from ledger import Ledger
from ledger.model import Address
from tests.bridge import wallet
from tests.bridge.histories import altered_copy, seal_all
from tests.bridge.killed import STEPS
from tests.bridge.outcomes import QUICK, check_exact, check_outbox, statuses
from tests.support.rpc_proxy import Dropped, RpcProxy, honest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.keys import Signer
    from tests.bridge.killed import Executioner
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Behave, Forward, Json

T = TypeVar("T")

SEND = "eth_sendRawTransaction"


# --- the process ends ---


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_two_steps(
    *,
    book: Ledger,
    sqlite_url: str,
    any_chain: Chain,
    signer: Signer,
    executioner: Executioner,
    step: str,
) -> None:
    deploy(book, any_chain, signer)
    nonce = any_chain.next_nonce(signer.address)
    assert executioner.run(sqlite_url, any_chain.name, step, 2) == -signal.SIGKILL
    replay(book, any_chain, signer, patience=QUICK)
    check_exact(book, any_chain, signer)
    assert any_chain.next_nonce(signer.address) == nonce + 4
    assert statuses(book) == ["mined"] * 4
    assert replay(book, any_chain, signer).batches == 0


def test_killed_while_nothing_is_mined(
    book: Ledger, sqlite_url: str, any_chain: Chain, signer: Signer, executioner: Executioner
) -> None:
    """What it left in the mempool is what the next run waits for."""
    deploy(book, any_chain, signer)
    nonce = any_chain.next_nonce(signer.address)
    any_chain.request("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    try:
        assert executioner.run(sqlite_url, any_chain.name, "noted", 1) == -signal.SIGKILL
        assert any_chain.next_nonce(signer.address) == nonce + 1
        assert any_chain.next_nonce(signer.address, "latest") == nonce
    finally:
        any_chain.request("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
    any_chain.request("evm_mine")
    replay(book, any_chain, signer, patience=QUICK)
    check_exact(book, any_chain, signer)
    assert any_chain.next_nonce(signer.address) == nonce + 4


def test_what_an_older_version_stored_is_followed(
    book: Ledger, sqlite_url: str, chain: Chain, signer: Signer, executioner: Executioner
) -> None:
    """Before schema 0003 nothing said who signed, and with which fees: the bytes do."""
    deploy(book, chain, signer)
    assert executioner.run(sqlite_url, chain.name, "stored", 2) == -signal.SIGKILL
    with book.connection() as connection:
        connection.execute(
            text(
                "UPDATE token_submissions SET sender = NULL, gas = NULL, max_fee = NULL, "
                "priority_fee = NULL, block_hash = NULL, gas_used = NULL, gas_price = NULL "
                "WHERE purpose = 'replay'"
            )
        )
    stored = Outbox(book, chain.chain_id).attempts(purpose="replay")
    assert [(it.sender, it.fees) for it in stored] == [(signer.address, None)] * 2
    replay(book, chain, signer, patience=QUICK)
    assert [it.signed for it in Outbox(book, chain.chain_id).attempts(purpose="replay")][:2] == [
        it.signed for it in stored
    ]
    assert statuses(book) == ["mined"] * 4
    check_exact(book, chain, signer)


# --- the node misbehaves ---


class Once:
    """Behaves badly for some requests of one method, and honestly otherwise."""

    def __init__(self, method: str, bad: Behave, first: int = 1, last: int = 1) -> None:
        self.method, self.bad, self.first, self.last = method, bad, first, last
        self.seen = 0

    def __call__(self, request: Json, forward: Forward) -> Json:
        if request["method"] == self.method:
            self.seen += 1
            if self.first <= self.seen <= self.last:
                return self.bad(request, forward)
        return forward(request)


def error(request: Json, message: str, code: int = -32000) -> Json:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}


def drops_request(request: Json, forward: Forward) -> Json:
    del request, forward
    raise Dropped


def drops_answer(request: Json, forward: Forward) -> Json:
    forward(request)
    raise Dropped


def fails(request: Json, forward: Forward) -> Json:
    del forward
    return error(request, "internal error", -32603)


def fails_and_mines(request: Json, forward: Forward) -> Json:
    forward(request)
    return error(request, "internal error", -32603)


def says_no_funds_later_mines(request: Json, forward: Forward) -> Json:
    threading.Timer(0.15, forward, [request]).start()
    return error(request, "intrinsic gas too low")


def doubles(request: Json, forward: Forward) -> Json:
    first = forward(request)
    second = forward(request)
    return second if "error" in first else first


def answers_second(request: Json, forward: Forward) -> Json:
    forward(request)
    return forward(request)


def delays(request: Json, forward: Forward) -> Json:
    time.sleep(0.2)
    return forward(request)


def knows_nothing(request: Json, forward: Forward) -> Json:
    del forward
    return {"jsonrpc": "2.0", "id": request["id"], "result": None}


def counts_one_less(request: Json, forward: Forward) -> Json:
    found = forward(request)
    return {**found, "result": hex(max(0, int(found["result"], 16) - 1))}


def is_garbage(request: Json, forward: Forward) -> Json:
    del request, forward
    return ["what?"]


HOSTILE: dict[str, Callable[[], Once]] = {
    "the request is dropped": lambda: Once(SEND, drops_request, 2, 2),
    "the answer is dropped": lambda: Once(SEND, drops_answer, 2, 2),
    "every answer is dropped": lambda: Once(SEND, drops_answer, 1, 99),
    "an error, nothing sent": lambda: Once(SEND, fails, 2, 3),
    "an error, and it is mined": lambda: Once(SEND, fails_and_mines, 1, 99),
    "an error, and it is mined later": lambda: Once(SEND, says_no_funds_later_mines, 2, 2),
    "sent twice": lambda: Once(SEND, doubles, 1, 99),
    "sent twice, the second answer": lambda: Once(SEND, answers_second, 1, 99),
    "sends are slow": lambda: Once(SEND, delays, 2, 3),
    "receipts come late": lambda: Once("eth_getTransactionReceipt", knows_nothing, 2, 7),
    "receipts fail": lambda: Once("eth_getTransactionReceipt", fails, 2, 5),
    "receipts and hashes unknown": lambda: Once("eth_getTransactionByHash", knows_nothing, 1, 99),
    "counts lag": lambda: Once("eth_getTransactionCount", counts_one_less, 4, 9),
    "counts are dropped": lambda: Once("eth_getTransactionCount", drops_request, 9, 10),
    "an answer that is no JSON-RPC": lambda: Once(SEND, is_garbage, 1, 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_node_that_misbehaves(
    book: Ledger, hostile: RpcProxy, node: Node, signer: Signer, *, name: str
) -> None:
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        deploy(book, chain, signer)
        nonce = chain.next_nonce(signer.address)
        hostile.behave = behave = HOSTILE[name]()
        try:
            replay(book, shaky, signer, patience=QUICK)
        except ChainError:  # a command ends where it can, and says that it is to be run again
            hostile.behave = honest
            replay(book, shaky, signer, patience=QUICK)
        assert behave.seen >= behave.first
        check_exact(book, chain, signer)
        assert chain.next_nonce(signer.address) == nonce + 4


def test_a_node_that_forgets_what_it_took(book: Ledger, any_chain: Chain, signer: Signer) -> None:
    """Dropped from the mempool, the same bytes are broadcast again."""
    deploy(book, any_chain, signer)
    any_chain.request("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    outbox = Outbox(book, any_chain.chain_id)
    with ThreadPoolExecutor(1) as pool:
        try:
            going = pool.submit(replay, book, any_chain, signer)  # with more patience than QUICK
            [first] = waited(lambda: outbox.attempts(statuses=["sent"]))
            any_chain.request("hardhat_dropTransaction", str(first.signed.hash))
            waited(lambda: any_chain.knows(first.signed.hash))
        finally:
            any_chain.request("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
            any_chain.request("evm_mine")
        assert going.result().batches == 4
    assert statuses(book) == ["mined"] * 4
    check_exact(book, any_chain, signer)


def waited(look: Callable[[], T]) -> T:
    """Return what `look` finds, once it finds something."""
    deadline = time.monotonic() + 120
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


# --- somebody else ---


def test_a_nonce_used_elsewhere_while_the_send_is_lost(
    book: Ledger, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        deploy(book, chain, signer)

        def takes_the_nonce(request: Json, forward: Forward) -> Json:
            del forward
            pay = wallet.transact(chain, signer, Address(b"\x42" * 20), gas=21_000)
            wallet.send_and_wait(chain, pay, "using the nonce by hand")
            return error(request, "the connection was lost")

        hostile.behave = Once(SEND, takes_the_nonce, 2, 2)
        assert replay(book, shaky, signer, patience=QUICK).batches == 4
        assert statuses(book) == ["mined", "dropped", "mined", "mined", "mined"]
        check_exact(book, chain, signer)


def test_two_operators_at_once(
    book: Ledger, sqlite_url: str, any_chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    """Two copies of the ledger, two processes' worth of senders, one key: nobody's lock helps."""
    for n in range(12):
        book.mint("alice", n + 1, asset="SCI")
        book.seal()
    deploy(book, any_chain, signer)
    copy = altered_copy(sqlite_url, "UPDATE token_settings SET one = 1", tmp_path)
    with Ledger.open(copy) as other, Chain.connect(any_chain.name) as second:
        start = threading.Barrier(2)

        def run(ledger: Ledger, chain: Chain) -> int:
            start.wait()
            return replay(ledger, chain, signer, patience=QUICK).batches

        with ThreadPoolExecutor(2) as pool:
            sent = list(pool.map(run, (book, other), (any_chain, second)))
        assert sum(sent) >= 16  # what both signed alike, both sent
        check_exact(book, any_chain, signer)
        check_outbox(other, any_chain, signer)


def test_a_race_that_is_lost(
    *, book: Ledger, hostile: RpcProxy, node: Node, sqlite_url: str, signer: Signer, tmp_path: Path
) -> None:
    """The other operator was faster after we signed: our nonce is used, and our batch there."""
    copy = altered_copy(sqlite_url, "UPDATE token_settings SET one = 1", tmp_path)
    with (
        Chain.connect(node.url) as chain,
        Chain.connect(hostile.url) as shaky,
        Ledger.open(copy) as other,
    ):
        deploy(book, chain, signer)

        def is_late(request: Json, forward: Forward) -> Json:
            fees = FeePolicy(priority_fee=3 * GWEI)  # or the two would sign the same bytes
            assert replay(other, chain, signer, patience=QUICK, fees=fees).batches == 4
            return forward(request)

        hostile.behave = Once(SEND, is_late, 1, 1)
        assert replay(book, shaky, signer, patience=QUICK).batches == 0
        assert statuses(book) == ["dropped"]
        check_exact(book, chain, signer)


# --- blocks are taken back ---


def reorganise(chain: Chain, depth: int, snapshot: str) -> None:
    """Take the last blocks back: Anvil's reorg, or a snapshot where there is none."""
    if chain.request("web3_clientVersion").lower().startswith("anvil"):
        chain.request("anvil_reorg", depth, [])
    else:
        assert chain.request("evm_revert", snapshot)


def test_a_reorg_of_mined_batches_and_back(book: Ledger, rewindable: Chain, signer: Signer) -> None:
    deploy(book, rewindable, signer)
    before = rewindable.block()
    snapshot = rewindable.request("evm_snapshot")
    replay(book, rewindable, signer)
    reorganise(rewindable, rewindable.block().number - before.number, snapshot)
    replay(book, rewindable, signer, patience=QUICK)
    check_exact(book, rewindable, signer)
    book.mint("alice", 1, asset="SCI")
    seal_all(book)
    assert replay(book, rewindable, signer, patience=QUICK).batches == 1
    check_exact(book, rewindable, signer)
