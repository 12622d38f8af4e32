"""A chain as every node of it answers: blocks, states and receipts, pinned to a block.

What the methods ask is in Ethereum's JSON-RPC specification, and means the same everywhere. What
nodes do each in their own way is in `bridge.chain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.codec import Log, quantity
from bridge.errors import ContradictionError, ReorganisedError
from bridge.jsonrpc import JsonRpc, to_hex
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.model import Address


@dataclass(frozen=True, slots=True)
class Block:
    """One block, by which reads are pinned."""

    number: int
    hash: Hash32
    timestamp: int
    """Seconds since 1970."""
    base_fee: int | None
    """Wei a gas; None on a chain without EIP-1559."""


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """What became of a mined transaction."""

    hash: Hash32
    succeeded: bool
    block_number: int
    block_hash: Hash32
    gas_used: int
    gas_price: int | None
    """Wei a gas that were paid; None where the node does not say."""
    logs: tuple[Log, ...]


class Ethereum(JsonRpc):
    """A connection to one chain, which is only asked and told nothing.

    Every method raises ChainError if the node fails in its part.
    """

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare to speak to `url`; `timeout` (seconds) is for each request."""
        super().__init__(url, timeout)
        self.chain_id = 0

    # --- blocks ---

    def check_chain_id(self) -> None:
        """Raise ContradictionError if the node serves another chain than it did at first."""
        found = self.quantity(self.request("eth_chainId"))
        if found != self.chain_id:
            raise ContradictionError(
                f"{self.name} said that it serves chain {self.chain_id}, and now says {found}"
            )

    def block(self, tag: str = "latest") -> Block:
        """Return the block that `tag` ("latest", "safe", "finalized" or 0x hex) names.

        Raises:
            ReorganisedError: there is none.
            ContradictionError: the node answered for a block of another number.
        """
        block = self._block("eth_getBlockByNumber", tag)
        if tag.startswith("0x") and block.number != int(tag, 16):
            raise ContradictionError(
                f"{self.name} returned block {block.number}, asked for was {int(tag, 16)}"
            )
        return block

    def block_with(self, hash_: Hash32) -> Block:
        """Return the block with that hash; raises as `block`."""
        block = self._block("eth_getBlockByHash", to_hex(hash_))
        if block.hash != hash_:
            raise ContradictionError(
                f"{self.name} returned the block {block.hash}, asked for was {hash_}"
            )
        return block

    def _block(self, method: str, name: str) -> Block:
        """Return the block that the node has under a name."""
        found = self.request(method, name, False)  # noqa: FBT003 (JSON-RPC is positional)
        if found is None:
            raise ReorganisedError(f"{self.name} has no block {name}")
        return self.parsed("a block", lambda: _block(found))

    def block_at(self, number: int) -> Block | None:
        """Return block `number`, or None if the chain is not that long."""
        found = self.request("eth_getBlockByNumber", quantity(number), False)  # noqa: FBT003 (JSON-RPC is positional)
        return None if found is None else self.parsed("a block", lambda: _block(found))

    def check_canonical(self, block: Block) -> None:
        """Raise ReorganisedError unless `block` is still part of the chain."""
        if self.block(quantity(block.number)).hash != block.hash:
            raise ReorganisedError(
                f"block {block.number} was replaced while it was read: run again"
            )

    # --- states ---

    def code(self, address: Address, at: Block) -> bytes:
        """Return the code at `address`; empty if there is no contract."""
        return self.data(self.request("eth_getCode", to_hex(address), _pin(at)))

    def call(
        self,
        to: Address | None,
        data: bytes,
        *,
        at: Block | None = None,
        sender: Address | None = None,
        code: bytes | None = None,
    ) -> bytes:
        """Return what a call returns, in the state of block `at` (EIP-1898), or the latest.

        `to` None runs `data` as creation code and returns the code it would deploy; `code` is put
        at `to` for the time of the call.

        Raises:
            RpcError: the call reverted.
        """
        transaction = {"data": to_hex(data)}
        if to is not None:
            transaction["to"] = to_hex(to)
        if sender is not None:
            transaction["from"] = to_hex(sender)
        parameters: list[object] = [transaction, _pin(at) if at else "latest"]
        if code is not None and to is not None:
            parameters.append({to_hex(to): {"code": to_hex(code)}})
        return self.data(self.request("eth_call", *parameters))

    def next_nonce(self, address: Address, tag: str = "pending") -> int:
        """Return the nonce after the last transaction of `address`.

        "pending" counts those that wait to be mined, "latest" does not.
        """
        return self.quantity(self.request("eth_getTransactionCount", to_hex(address), tag))

    def balance(self, address: Address) -> int:
        """Return how many wei `address` has."""
        return self.quantity(self.request("eth_getBalance", to_hex(address), "latest"))

    # --- transactions ---

    def knows(self, transaction: Hash32) -> bool:
        """Tell whether the transaction is mined or waits to be."""
        return self.request("eth_getTransactionByHash", to_hex(transaction)) is not None

    def receipt(self, transaction: Hash32) -> TransactionReceipt | None:
        """Return the receipt of a mined transaction, or None."""
        found = self.request("eth_getTransactionReceipt", to_hex(transaction))
        return None if found is None else self.parsed("a receipt", lambda: _receipt(found))


def _pin(block: Block) -> dict[str, object]:
    """Return the parameter that reads at `block` and no other (EIP-1898)."""
    return {"blockHash": to_hex(block.hash)}


def _block(found: Mapping[str, Any]) -> Block:
    """Return the block in a node's answer."""
    base_fee = found.get("baseFeePerGas")
    return Block(
        number=int(found["number"], 16),
        hash=Hash32.parse(found["hash"]),
        timestamp=int(found["timestamp"], 16),
        base_fee=None if base_fee is None else int(base_fee, 16),
    )


def _receipt(found: Mapping[str, Any]) -> TransactionReceipt:
    """Return the receipt in a node's answer."""
    price = found.get("effectiveGasPrice")
    return TransactionReceipt(
        hash=Hash32.parse(found["transactionHash"]),
        succeeded=int(found["status"], 16) == 1,
        block_number=int(found["blockNumber"], 16),
        block_hash=Hash32.parse(found["blockHash"]),
        gas_used=int(found["gasUsed"], 16),
        gas_price=None if price is None else int(price, 16),
        logs=tuple(map(Log.parse, found["logs"])),
    )
