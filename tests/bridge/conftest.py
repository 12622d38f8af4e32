"""What the tests of the bridge share: a small ledger, its export, a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from eth_account import Account

from bridge.chain import Chain
from bridge.export import export
from bridge.keys import Signer
from tests.bridge.histories import small_ledger, standing_ledger
from tests.bridge.killed import Executioner
from tests.support.rpc_proxy import RpcProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger import Ledger
    from tests.support.nodes import Node


@pytest.fixture
def book(sqlite_url: str) -> Iterator[Ledger]:
    """Return a small sealed ledger."""
    with small_ledger(sqlite_url) as ledger:
        yield ledger


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of a small ledger; copy it before you change it."""
    folder = tmp_path_factory.mktemp("exported")
    with small_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        return export(ledger, folder / "export").path


@pytest.fixture(scope="session")
def standing_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of a ledger with holds, limits and accounts of every standing."""
    folder = tmp_path_factory.mktemp("standing")
    with standing_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        return export(ledger, folder / "export").path


@pytest.fixture
def chain(anvil: Node) -> Iterator[Chain]:
    """Return a connection to an Anvil that forgets what the test did."""
    with Chain.connect(anvil.url) as connection:
        yield connection


@pytest.fixture
def any_chain(node: Node) -> Iterator[Chain]:
    """Return a connection to each kind of node in turn."""
    with Chain.connect(node.url) as connection:
        yield connection


@pytest.fixture(params=["anvil", "hardhat"])
def rewindable(request: pytest.FixtureRequest) -> Iterator[Chain]:
    """Return a connection to each kind of node in turn, an Anvil that nobody has reverted before.

    After an `evm_revert` an Anvil may have forgotten the states that `anvil_reorg` goes back to.
    """
    name = {"anvil": "fresh_anvil", "hardhat": "hardhat"}[request.param]
    node: Node = request.getfixturevalue(name)
    with Chain.connect(node.url) as connection:
        yield connection


@pytest.fixture
def hostile(node: Node) -> Iterator[RpcProxy]:
    """Return a proxy before each kind of node in turn, honest until the test makes it lie."""
    proxy = RpcProxy(node)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def executioner() -> Iterator[Executioner]:
    """Return the program that kills replays."""
    program = Executioner()
    yield program
    program.close()


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Return the key that test nodes fund, and that everybody has."""
    return Signer.for_test_chain()


@pytest.fixture(scope="session")
def owner() -> Signer:
    """Return a key that nobody else has; `fund` it on each chain."""
    return Signer(Account.from_key("0x" + "6b" * 32))
