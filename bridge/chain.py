"""A chain through one of its nodes: the only module that knows how nodes differ."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from bridge.batches import TRANSACTION_GAS_CAP
from bridge.codec import Log, quantity
from bridge.errors import (
    ChainError,
    ContradictionError,
    FeeTooLowError,
    FundsError,
    NonceUsedError,
    ReorganisedError,
    RpcError,
    TransactionError,
    UnderpricedError,
    WrongChainError,
)
from bridge.fees import GWEI, FeePolicy, Market
from bridge.jsonrpc import JsonRpc, to_hex
from bridge.patience import Clock
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.keys import SignedTransaction, TransactionSigner

LOCAL_CHAIN_IDS: Final = frozenset({1337, 31337})
"""Chains that are nothing but a test: Anvil's and Hardhat's 31337, Ganache's and geth's 1337."""


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


class Chain(JsonRpc):
    """A connection to one chain. Every method raises ChainError if the node fails in its part."""

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare to speak to `url`; `connect` is what callers use."""
        super().__init__(url, timeout)
        self.chain_id = 0

    @classmethod
    def connect(
        cls, url: str, *, expected_chain_id: int | None = None, timeout: float = 30.0
    ) -> Self:
        """Return a connection to the node at `url`; `timeout` (seconds) is for each request.

        Raises:
            NoAnswerError: nothing answers there, or not in JSON-RPC.
            WrongChainError: the node serves another chain than the expected one.
        """
        chain = cls(url, timeout)
        chain.chain_id = chain.quantity(chain.request("eth_chainId"))
        if expected_chain_id not in {None, chain.chain_id}:
            chain.close()
            raise WrongChainError(
                f"{chain.name} serves chain {chain.chain_id}, not {expected_chain_id}: "
                "give the URL of a node of that chain"
            )
        return chain

    @property
    def is_local_test(self) -> bool:
        """Whether nothing on this chain can be worth anything."""
        return self.chain_id in LOCAL_CHAIN_IDS

    # --- state ---

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

    def code(self, address: Address, at: Block) -> bytes:
        """Return the code at `address`; empty if there is no contract."""
        return self.data(self.request("eth_getCode", to_hex(address), _pin(at)))

    def has_code_since(self, address: Address, at: Block) -> int:
        """Return the first block up to `at` in which `address` has code, by bisection.

        0 where the node has forgotten old states: then logs are read from the start.
        """
        low, high = 0, at.number
        try:
            while low < high:
                middle = (low + high) // 2
                found = self.request("eth_getCode", to_hex(address), quantity(middle))
                low, high = (low, middle) if self.data(found) else (middle + 1, high)
        except RpcError:
            return 0
        return low

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

    def logs(
        self,
        address: Address,
        topic: Hash32 | None,
        first: int,
        last: int,
        *,
        second: Hash32 | None = None,
    ) -> Iterator[Log]:
        """Yield the logs of `address` in blocks `first` to `last`, in their order.

        Those with `topic` first and `second` second, where they are given. A range that the node
        finds too large is asked for in halves.
        """
        wanted: dict[str, object] = {"address": to_hex(address)}
        if topics := [to_hex(one) for one in (topic, second) if one is not None]:
            wanted["topics"] = topics
        span = {"fromBlock": quantity(first), "toBlock": quantity(last)}
        try:
            found = self.request("eth_getLogs", {**wanted, **span})
        except RpcError:
            if first >= last:
                raise
            middle = (first + last) // 2
            yield from self.logs(address, topic, first, middle, second=second)
            yield from self.logs(address, topic, middle + 1, last, second=second)
            return
        yield from self.parsed("logs", lambda: map(Log.parse, found))

    # --- transactions ---

    def estimate_gas(self, sender: Address, to: Address, data: bytes, *, value: int = 0) -> int:
        """Return the gas that the transaction would use.

        Raises:
            RpcError: it would revert.
            FundsError: the sender cannot pay for it.
        """
        transaction = {"from": to_hex(sender), "to": to_hex(to), "data": to_hex(data)}
        if value:
            transaction["value"] = quantity(value)
        try:
            return self.quantity(self.request("eth_estimateGas", transaction))
        except RpcError as error:
            raise _named(error) from error

    def transact(
        self, signer: TransactionSigner, to: Address, data: bytes = b"", *, gas: int, value: int = 0
    ) -> SignedTransaction:
        """Return a signed transaction with the signer's next nonce; nothing is sent."""
        offered = FeePolicy().first(self.market())
        return signer.sign(
            {
                "chainId": self.chain_id,
                "nonce": self.next_nonce(signer.address),
                "to": str(to),
                "data": to_hex(data),
                "value": value,
                "gas": min(gas, TRANSACTION_GAS_CAP),
                **(offered.fields() if offered else {}),
            }
        )

    def next_nonce(self, address: Address, tag: str = "pending") -> int:
        """Return the nonce after the last transaction of `address`.

        "pending" counts those that wait to be mined, "latest" does not.
        """
        return self.quantity(self.request("eth_getTransactionCount", to_hex(address), tag))

    def balance(self, address: Address) -> int:
        """Return how many wei `address` has."""
        return self.quantity(self.request("eth_getBalance", to_hex(address), "latest"))

    def would_revert(self, sender: Address, to: Address, data: bytes) -> bool:
        """Tell whether a contract says that it would refuse `data` now; False if nobody can say."""
        try:
            self.call(to, data, sender=sender)
        except RpcError as error:
            return is_revert(error)
        return False

    def send(self, signed: SignedTransaction) -> None:
        """Broadcast; an error means "unknown", so after one the chain is asked what it knows.

        Nodes answer with errors for transactions that they have, and Hardhat for one that it has
        mined and that failed.

        Raises:
            NonceUsedError, UnderpricedError, FeeTooLowError, FundsError: what the node has against
                it; it does not know the transaction, another node may.
            ChainError: the error, if the chain does not know the transaction.
        """
        try:
            self.request("eth_sendRawTransaction", to_hex(signed.raw))
        except ChainError as error:
            if not self.knows(signed.hash):
                raise _named(error) from error

    def knows(self, transaction: Hash32) -> bool:
        """Tell whether the transaction is mined or waits to be."""
        return self.request("eth_getTransactionByHash", to_hex(transaction)) is not None

    def receipt(self, transaction: Hash32) -> TransactionReceipt | None:
        """Return the receipt of a mined transaction, or None."""
        found = self.request("eth_getTransactionReceipt", to_hex(transaction))
        return None if found is None else self.parsed("a receipt", lambda: _receipt(found))

    def wait(self, transaction: Hash32, *, timeout: float = 180.0) -> TransactionReceipt:
        """Return the receipt of `transaction`, waiting `timeout` seconds for it to be mined.

        Raises:
            TransactionError: it is not mined by then. It still may be.
        """
        clock = Clock(timeout)
        while (found := self.receipt(transaction)) is None:
            if not clock.wait():
                raise TransactionError(
                    f"transaction {transaction} is not mined after {timeout:.0f} seconds: "
                    "run again later, nothing is sent twice"
                )
        return found

    def send_and_wait(self, signed: SignedTransaction, what: str) -> TransactionReceipt:
        """Broadcast and wait; raise TransactionError, naming `what`, if it fails."""
        self.send(signed)
        receipt = self.wait(signed.hash)
        if not receipt.succeeded:
            raise TransactionError(f"{what}: transaction {signed.hash} was mined and failed")
        return receipt

    def market(self) -> Market:
        """Return what the chain asks for gas in the next block."""
        base_fee = self.block().base_fee
        if base_fee is None:
            return Market(None, self.quantity(self.request("eth_gasPrice")))
        with suppress(RpcError):  # some nodes do not tell of the next block
            history = self.request("eth_feeHistory", "0x1", "latest", [])
            fees = self.parsed("fees", lambda: [int(fee, 16) for fee in history["baseFeePerGas"]])
            base_fee = max(base_fee, *fees[1:], 0)
        try:
            tip = self.quantity(self.request("eth_maxPriorityFeePerGas"))
        except RpcError:
            tip = GWEI
        return Market(base_fee, tip)


_ERRORS: Final[tuple[tuple[type[RpcError], tuple[str, ...]], ...]] = (
    (UnderpricedError, ("replacement", "could not replace")),
    (NonceUsedError, ("nonce too low", "nonce is too low", "oldnonce", "nonce_too_low")),
    (
        FeeTooLowError,
        ("less than block base fee", "too low for the next block", "underpriced", "feetoolow",
         "gas price below"),
    ),
)  # fmt: skip
"""What nodes say against a transaction: Anvil, Hardhat, geth, Nethermind, Besu, Erigon."""
_NO_FUNDS: Final = ("insufficient funds", "insufficientfunds", "enough funds", "upfront cost")


def is_revert(error: RpcError) -> bool:
    """Tell whether a node's error says that a contract reverted."""
    return bool(error.revert) or "revert" in error.message


def _named(error: ChainError) -> ChainError:
    """Return the error of a broadcast by what it means."""
    if not isinstance(error, RpcError) or error.revert:
        return error
    said = error.message.lower()
    for kind, words in _ERRORS:
        if any(word in said for word in words):
            return kind(error.method, error.code, error.message)
    if any(words in said for words in _NO_FUNDS):
        return FundsError(f"the sender cannot pay for the gas ({error.message}): send it some coin")
    return error


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
