"""Fixtures that every test may use: fresh databases and running nodes.

Servers start when the first test asks and end with the session; the guardian sees to it. What a
test gets is its own: an empty database, or a node that forgets everything when the test is over.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.support import nodes
from tests.support.guardian import Guardian
from tests.support.memory import memory
from tests.support.postgres import PostgresServer
from tests.support.rpc_proxy import RpcProxy
from tests.support.warm import WarmProgram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.nodes import Node

# A shell starts what runs in its background deaf to Ctrl-C, and so all that it starts in turn.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where pytest makes folders for tests.
if folder_in_memory := memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder_in_memory))

# The suite gives the same answer every time; `pytest --hypothesis-profile=fuzz` goes looking.
_SLOW_FIXTURES = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "suite",
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=_SLOW_FIXTURES,
)
settings.register_profile(
    "fuzz", max_examples=5_000, deadline=None, suppress_health_check=_SLOW_FIXTURES
)
settings.load_profile("suite")


class StartNode(Protocol):
    """How a test starts a node of its own: command line options, and a port if it matters."""

    def __call__(self, *options: str, port: int = 0) -> Node: ...


@pytest.fixture(scope="session")
def guardian() -> Iterator[Guardian]:
    """Own every process and folder that the fixtures below make."""
    it = Guardian()
    yield it
    it.close()


@pytest.fixture(scope="session")
def warm_program(guardian: Guardian) -> Iterator[WarmProgram]:
    """Return the program for shell sessions, which begins at once; its `path` is their PATH."""
    program = WarmProgram(guardian)
    yield program
    program.close()


# --- databases ---


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(scope="session")
def postgres_server(guardian: Guardian) -> Iterator[PostgresServer]:
    """Run one PostgreSQL server for the session."""
    server = PostgresServer(guardian)
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database, dropped after the test."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database: the test runs once on each kind."""
    url: str = request.getfixturevalue(
        {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    )
    return url


# --- nodes ---


@pytest.fixture(scope="session")
def anvil_process(guardian: Guardian) -> Iterator[Node]:
    """Run one Anvil for the session; a test wants `anvil`, which forgets what the test did."""
    node = nodes.start_anvil(guardian)
    yield node
    node.stop()


@pytest.fixture(scope="session")
def hardhat_process(guardian: Guardian) -> Iterator[Node]:
    """Run one Hardhat node for the session; a test wants `hardhat`."""
    node = nodes.start_hardhat(guardian)
    yield node
    node.stop()


def _forgetful(node: Node) -> Iterator[Node]:
    snapshot: Any = node.rpc("evm_snapshot")
    yield node
    nodes.settle(node)
    assert node.rpc("evm_revert", snapshot), f"{node.name} could not go back to its snapshot"
    nodes.reset_base_fee(node)


@pytest.fixture
def anvil(anvil_process: Node) -> Iterator[Node]:
    """Return the session's Anvil, whose state goes back to what it was after the test."""
    yield from _forgetful(anvil_process)


@pytest.fixture
def hardhat(hardhat_process: Node) -> Iterator[Node]:
    """Return the session's Hardhat node, whose state goes back to what it was after the test."""
    yield from _forgetful(hardhat_process)


@pytest.fixture(params=["anvil", "hardhat"])
def node(request: pytest.FixtureRequest) -> Node:
    """Return a node: the test runs once on each kind."""
    running: Node = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def start_anvil(guardian: Guardian) -> Iterator[StartNode]:
    """Return a function that starts an Anvil for this test alone, which may stop or kill it."""
    started: list[Node] = []

    def start(*options: str, port: int = 0) -> Node:
        started.append(nodes.start_anvil(guardian, *options, port=port))
        return started[-1]

    yield start
    for own in started:
        own.stop()


@pytest.fixture
def fresh_anvil(start_anvil: StartNode) -> Node:
    """Return an Anvil for this test alone, which may stop or kill it."""
    return start_anvil()


@pytest.fixture
def rpc_proxy(anvil: Node) -> Iterator[RpcProxy]:
    """Return a proxy before the session's Anvil, honest until the test makes it lie."""
    proxy = RpcProxy(anvil)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def node_path() -> Path:
    """Return the Node.js executable that the wheel installed."""
    return nodes.NODE_JS
