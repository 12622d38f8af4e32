"""Random schedules of what can go wrong while a ledger is replayed, a few at a time.

The suite runs the same short ones each time. `make crash`, or REPLAY_SECONDS=600 and REPLAY_SEED=2,
goes looking.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from functools import partial
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import ChainError
from bridge.replay import replay
from tests.bridge.histories import small_ledger
from tests.bridge.killed import STEPS
from tests.bridge.outcomes import QUICK, check_exact
from tests.bridge.test_survives import (
    counts_one_less,
    delays,
    doubles,
    drops_answer,
    drops_request,
    fails,
    fails_and_mines,
    is_garbage,
    knows_nothing,
    reorganise,
)
from tests.support.nodes import reset_base_fee
from tests.support.rpc_proxy import RpcProxy, honest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bridge.keys import Signer
    from ledger import Ledger
    from tests.bridge.killed import Executioner
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Behave, Forward, Json

SECONDS: Final = float(os.environ.get("REPLAY_SECONDS", "0"))
SEED: Final = int(os.environ.get("REPLAY_SEED", "1"))
SCHEDULES: Final = 3
"""Of each node, where no time is given."""

SENDING: Final[tuple[Behave, ...]] = (
    drops_request, drops_answer, fails, fails_and_mines, doubles, delays, is_garbage,
)  # fmt: skip
READING: Final[dict[str, tuple[Behave, ...]]] = {
    "eth_sendRawTransaction": SENDING,
    "eth_getTransactionReceipt": (drops_request, fails, knows_nothing),
    "eth_getTransactionByHash": (drops_answer, fails, knows_nothing),
    "eth_getTransactionCount": (drops_request, fails, counts_one_less),
    "eth_getBlockByNumber": (drops_request, fails),
    "eth_call": (drops_request,),
}


class Moody:
    """Behaves badly at random, each kind of request in its own ways, until it is told to stop."""

    def __init__(self, random: Random, mood: float) -> None:
        self.random, self.mood = random, mood
        self.told: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, request: Json, forward: Forward) -> Json:
        ways = READING.get(request["method"], ())
        with self._lock:
            bad = self.random.choice(ways) if ways and self.random.random() < self.mood else None
        if bad is None:
            return forward(request)
        self.told.append(f"{request['method']}: {bad.__name__}")
        return bad(request, forward)


def one_schedule(
    random: Random,
    *,
    ledger: Ledger,
    url: str,
    node: Node,
    signer: Signer,
    executioner: Executioner,
) -> None:
    """Replay through trouble until the ledger is there; then everything must be exact."""
    with Chain.connect(node.url) as chain:
        deploy(ledger, chain, signer)
        nonce, first = chain.next_nonce(signer.address), chain.block().number
        proxy = RpcProxy(node, moody := Moody(random, random.choice((0.02, 0.1, 0.3))))
        try:
            for _ in range(random.randrange(1, 4)):
                snapshot = chain.request("evm_snapshot")
                _one_run(random, ledger, proxy, signer, partial(executioner.run, url, proxy.url))
                if random.random() < 0.4:
                    _take_back(random, chain, first, snapshot)
        finally:
            proxy.behave = honest
            proxy.close()
        replay(ledger, chain, signer, patience=QUICK)
        check_exact(ledger, chain, signer)
        # At most one transaction a batch, but where a node lied about a nonce for longer than lag.
        assert chain.next_nonce(signer.address) >= nonce + 4, moody.told
        assert replay(ledger, chain, signer, patience=QUICK).batches == 0


def _one_run(
    random: Random, ledger: Ledger, proxy: RpcProxy, signer: Signer, kill: Callable[[str, int], int]
) -> None:
    """Run a replay that is killed somewhere, or that ends as it may."""
    if random.random() < 0.4:
        step = random.choice(STEPS)
        ended = kill(step, random.randrange(1, 5))
        assert ended in {0, 2, -signal.SIGKILL}
        return
    try:
        with Chain.connect(proxy.url) as shaky:
            replay(ledger, shaky, signer, patience=QUICK)
    except ChainError:
        return  # which is to say: run again


def _take_back(random: Random, chain: Chain, first: int, snapshot: str) -> None:
    """Take some of the blocks after `first` back; all of them where a snapshot must do it."""
    depth = random.randrange(chain.block().number - first + 1)
    if depth:
        reorganise(chain, depth, snapshot)


@contextmanager
def unreverted_anvil(start_anvil: StartNode) -> Iterator[Node]:
    """Run an Anvil of its own: one that was reverted forgets what `anvil_reorg` goes back to."""
    node = start_anvil()
    try:
        yield node
    finally:
        node.stop()


@contextmanager
def reverted(node: Node) -> Iterator[Node]:
    """Take the node back in the end."""
    snapshot = node.rpc("evm_snapshot")
    try:
        yield node
    finally:
        node.rpc("evm_revert", snapshot)
        reset_base_fee(node)


@pytest.fixture(params=["anvil", "hardhat"])
def a_node(
    request: pytest.FixtureRequest, start_anvil: StartNode
) -> Callable[[], AbstractContextManager[Node]]:
    """Return how a schedule gets a node of each kind."""
    if request.param == "anvil":
        return partial(unreverted_anvil, start_anvil)
    return partial(reverted, request.getfixturevalue("hardhat"))


@pytest.mark.timeout(300 + 2 * SECONDS)
def test_random_schedules(
    a_node: Callable[[], AbstractContextManager[Node]],
    signer: Signer,
    executioner: Executioner,
    tmp_path: Path,
) -> None:
    started = time.monotonic()
    for number in count():
        is_over = time.monotonic() - started > SECONDS if SECONDS else number >= SCHEDULES
        if is_over:
            break
        seed = SEED * 1_000_000 + number
        url = f"sqlite:///{tmp_path / f'{seed}.db'}"
        try:
            with a_node() as node, small_ledger(url) as ledger:
                one_schedule(
                    Random(seed), ledger=ledger, url=url, node=node, signer=signer,
                    executioner=executioner,
                )  # fmt: skip
        except BaseException as error:
            error.add_note(f"schedule {seed}")
            raise
