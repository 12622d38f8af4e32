"""Contracts on a running node, driven through their ABI alone: no web3, no code of the bridge."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from eth_abi.abi import decode, encode

from ledger.hashing import keccak
from tests.support.nodes import Node, RpcError

ARTIFACTS: Final = Path(__file__).parents[2] / "bridge" / "artifacts"
PROXY: Final = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
PROXY_CODE: Final = (
    "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234"
    "f58015156039578182fd5b8082525050506014600cf3"
)
MAX_GAS: Final = 2**24
ZERO: Final = "0x" + "00" * 20

Abi = Sequence[Mapping[str, Any]]


class Reverted(Exception):  # noqa: N818 (a contract's answer, which most tests expect)
    """A call reverted with an error of the ABI: its name and its arguments."""

    def __init__(self, name: str, *arguments: object) -> None:
        super().__init__(name, *arguments)
        self.name = name
        self.arguments = arguments


@cache
def artifact(name: str) -> dict[str, Any]:
    """Return a committed artifact."""
    document: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def to_hex(value: bytes) -> str:
    """Return 0x and the digits of `value`."""
    return "0x" + value.hex()


def from_hex(value: str) -> bytes:
    """Return the bytes of 0x-prefixed digits."""
    return bytes.fromhex(value.removeprefix("0x"))


def _type(parameter: Mapping[str, Any]) -> str:
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    inner = ",".join(_type(part) for part in parameter["components"])
    return f"({inner}){parameter['type'].removeprefix('tuple')}"


def _types(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_type(parameter) for parameter in parameters]


def signature_hash(item: Mapping[str, Any]) -> bytes:
    """Return keccak of an ABI item's signature: its topic, the first 4 bytes its selector."""
    return bytes(keccak(f"{item['name']}({','.join(_types(item['inputs']))})".encode()))


def word(value: str) -> bytes:
    """Return an address as the 32 bytes of a topic."""
    return from_hex(value).rjust(32, b"\0")


class Contract:
    """A deployed contract; `errors` of other ABIs are decoded too, for calls that pass through."""

    def __init__(self, node: Node, address: str, abi: Abi) -> None:
        self.node = node
        self.address = address
        self.abi = abi

    def _function(self, name: str) -> Mapping[str, Any]:
        return next(it for it in self.abi if it["type"] == "function" and it["name"] == name)

    def data(self, name: str, *arguments: object) -> str:
        """Return the calldata of a call."""
        item = self._function(name)
        return to_hex(signature_hash(item)[:4] + encode(_types(item["inputs"]), arguments))

    def call(self, name: str, *arguments: object, sender: str = ZERO, gas: int = MAX_GAS) -> Any:  # noqa: ANN401 (what the ABI says)
        """Return what a call would return; `Reverted` if it would revert."""
        request = {"from": sender, "to": self.address, "gas": hex(gas)}
        answer = self.request(
            "eth_call", {**request, "data": self.data(name, *arguments)}, "latest"
        )
        values = decode(_types(self._function(name)["outputs"]), from_hex(answer))
        return values[0] if len(values) == 1 else values

    def send(
        self, name: str, *arguments: object, sender: str, value: int = 0, gas: int = MAX_GAS
    ) -> dict[str, Any]:
        """Send a transaction and return its receipt; `Reverted`, and not sent, if it would fail."""
        request = {"from": sender, "to": self.address, "value": hex(value), "gas": hex(gas)}
        request["data"] = self.data(name, *arguments)
        self.request("eth_call", request, "latest")
        return transact(self.node, request)

    def request(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 (JSON is anything)
        """Ask the node, and turn a revert into `Reverted`."""
        try:
            return self.node.rpc(method, *parameters)
        except RpcError as error:
            found = error.data["data"] if isinstance(error.data, dict) else error.data
            if not isinstance(found, str):
                raise
            raise self.reverted(from_hex(found)) from error

    def reverted(self, found: bytes) -> Reverted:
        """Return the error that revert data means."""
        for item in (*self.abi, *_COMMON_ERRORS):
            if item["type"] == "error" and signature_hash(item)[:4] == found[:4]:
                return Reverted(item["name"], *decode(_types(item["inputs"]), found[4:]))
        return Reverted("unknown", found)

    def events(self, receipt: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Return this contract's events of a transaction, in order: names and arguments."""
        return [
            self._event(log)
            for log in receipt["logs"]
            if log["address"].lower() == self.address.lower()
        ]

    def _event(self, log: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        topic = from_hex(log["topics"][0])
        item = next(it for it in self.abi if it["type"] == "event" and signature_hash(it) == topic)
        indexed = [it for it in item["inputs"] if it["indexed"]]
        plain = [it for it in item["inputs"] if not it["indexed"]]
        values = dict(
            zip(
                (it["name"] for it in plain),
                decode(_types(plain), from_hex(log["data"])),
                strict=True,
            )
        )
        for parameter, raw in zip(indexed, log["topics"][1:], strict=True):
            (values[parameter["name"]],) = decode([_type(parameter)], from_hex(raw))
        return item["name"], values


_COMMON_ERRORS: Final[Abi] = [
    {"type": "error", "name": "Error", "inputs": [{"type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"type": "uint256"}]},
]


@contextmanager
def refused(name: str, *arguments: object) -> Iterator[None]:
    """Expect a revert with exactly this error."""
    with pytest.raises(Reverted) as caught:
        yield
    assert (caught.value.name, caught.value.arguments) == (name, arguments)


def transact(node: Node, request: Mapping[str, str]) -> dict[str, Any]:
    """Send a transaction of an unlocked account and return its receipt, a success."""
    for seconds in (30, 120):  # an Anvil may lose one: see `tests.support.nodes.settle`
        transaction = node.rpc("eth_sendTransaction", request)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            receipt = node.rpc("eth_getTransactionReceipt", transaction)
            if receipt is not None:
                assert receipt["status"] == "0x1", receipt
                return dict(receipt)
            time.sleep(0.002)
        if node.rpc("eth_getTransactionByHash", transaction) is not None:
            raise AssertionError(f"{transaction} waits, and is not mined")
    raise AssertionError("the node does not keep what it is sent")


def constructor_arguments(abi: Abi, *arguments: object) -> bytes:
    """Return what follows the creation code."""
    for item in abi:
        if item["type"] == "constructor":
            return bytes(encode(_types(item["inputs"]), arguments))
    return b""


def install_proxy(node: Node) -> None:
    """Put the deterministic deployment proxy where a node lacks it."""
    if node.rpc("eth_getCode", PROXY, "latest") == "0x":
        runtime = "0x" + PROXY_CODE[-138:]
        node.rpc("hardhat_setCode", PROXY, runtime)


def deploy(node: Node, name: str, *arguments: object, salt: bytes = bytes(32)) -> Contract:
    """Deploy an artifact through the proxy, unless it is there already."""
    document = artifact(name)
    code = from_hex(document["bytecode"]) + constructor_arguments(document["abi"], *arguments)
    return deploy_code(node, code, document["abi"], salt)


def deploy_code(node: Node, code: bytes, abi: Abi, salt: bytes = bytes(32)) -> Contract:
    """Deploy creation code through the proxy, unless it is there already."""
    address = to_hex(keccak(b"\xff" + from_hex(PROXY) + salt + keccak(code))[12:])
    if node.rpc("eth_getCode", address, "latest") == "0x":
        install_proxy(node)
        sender = node.rpc("eth_accounts")[0]  # not the last: another test may impersonate more
        call = {"from": sender, "to": PROXY, "data": to_hex(salt + code), "gas": hex(MAX_GAS)}
        node.rpc("eth_call", call, "latest")
        transact(node, call)
    return Contract(node, address, abi)
