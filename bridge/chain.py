"""A chain through one of its nodes: the only module that knows how nodes differ."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from bridge.codec import Log, quantity
from bridge.errors import (
    ChainError,
    FeeTooLowError,
    FundsError,
    GasTooLowError,
    NonceUsedError,
    ReorganisedError,
    RpcError,
    UnderpricedError,
    WrongChainError,
)
from bridge.ethereum import Block, Ethereum, TransactionReceipt
from bridge.fees import GWEI, Market
from bridge.jsonrpc import to_hex
from bridge.raw import read_raw
from ledger.hashing import KECCAK_EMPTY
from ledger.model import ZERO_HASH, Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.keys import SignedTransaction
    from ledger.model import Hash32

__all__ = [
    "LOCAL_CHAIN_IDS",
    "SLOTS_A_PROOF",
    "Block",
    "Chain",
    "TransactionReceipt",
    "is_revert",
]

LOCAL_CHAIN_IDS: Final = frozenset({1337, 31337})
"""Chains that are nothing but a test: Anvil's and Hardhat's 31337, Ganache's and geth's 1337."""
SLOTS_A_PROOF: Final = 1_000
"""Slots that one `eth_getProof` may ask for: geth refuses more than 1,024."""


class Chain(Ethereum):
    """A connection to one chain. Every method raises ChainError if the node fails in its part."""

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

    # --- blocks and states ---

    def head(self, tag: str) -> int | None:
        """Return the number of the block that `tag` names; None where the node knows no such tag.

        Some nodes answer that there is no such block, others with an error.
        """
        try:
            return self.block(tag).number
        except (RpcError, ReorganisedError):
            return None

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

    def proof(self, address: Address, slots: Sequence[Hash32], at: Block) -> Any:  # noqa: ANN401 (JSON is anything)
        """Return what `eth_getProof` answers (EIP-1186); `bridge.account_proofs` checks it.

        Slots are asked for as 32 bytes, for Anvil and Hardhat read no others, and at most
        `SLOTS_A_PROOF` of them. EIP-1186 does not say which code hash nobody has: where the answer
        says zero, it is made the hash of no code, as most nodes have it.
        """
        answer = self.request(
            "eth_getProof", to_hex(address), [*map(to_hex, slots)], {"blockHash": to_hex(at.hash)}
        )
        if isinstance(answer, dict) and _is_nobody(answer):
            return {**answer, "codeHash": to_hex(KECCAK_EMPTY)}
        return answer

    def block_receipts(self, block: Hash32) -> list[Any]:
        """Return what the node has for receipts of the block with that hash, in order; unchecked.

        One by one from a node that does not give them at once, as Hardhat.
        """
        try:
            found = self.request("eth_getBlockReceipts", to_hex(block))
        except RpcError:
            full = self.request("eth_getBlockByHash", to_hex(block), False)  # noqa: FBT003 (JSON-RPC is positional)
            hashes = self.parsed("a block", lambda: list(full["transactions"]))
            found = [self.request("eth_getTransactionReceipt", hash_) for hash_ in hashes]
        return self.parsed("receipts", lambda: list(found))

    def set_code(self, address: Address, code: bytes) -> None:
        """Put `code` at `address` by decree, as nothing but a test node does: RpcError elsewhere.

        Anvil knows the method under this name too.
        """
        self.request("hardhat_setCode", to_hex(address), to_hex(code))

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
            # In the pending block, what waits to be replaced would have been done before it.
            return self.quantity(self.request("eth_estimateGas", transaction, "latest"))
        except RpcError as error:
            raise _named(error) from error

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
            NonceUsedError, UnderpricedError, FeeTooLowError, GasTooLowError, FundsError: what the
                node has against it; it does not know the transaction, another node may.
            ChainError: the error, if the chain does not know the transaction.
        """
        try:
            self._broadcast(signed)
        except ChainError as error:
            if not self.knows(signed.hash):
                raise _named(error) from error

    def _broadcast(self, signed: SignedTransaction) -> None:
        """Broadcast, and once more where the node then takes it in the place of what waits."""
        try:
            self.request("eth_sendRawTransaction", to_hex(signed.raw))
        except RpcError as error:
            if _QUEUES_NOTHING not in error.message or not self._makes_way(signed):
                raise
            self.request("eth_sendRawTransaction", to_hex(signed.raw))

    def _makes_way(self, signed: SignedTransaction) -> bool:
        """Take what waits at the nonce of `signed` out of the pool; False if nothing does.

        While Hardhat mines each transaction as it comes, it replaces none: where one waits that
        offers too little for a block, it calls the nonce used, and mines nothing until it is gone.

        Raises:
            UnderpricedError: `signed` offers less than a tenth more.
        """
        method = "eth_pendingTransactions"
        waiting = self.parsed("transactions", lambda: list(self.request(method)))
        for it in waiting:
            if (Address.parse(it["from"]), int(it["nonce"], 16)) != (signed.sender, signed.nonce):
                continue
            offered = read_raw(signed.raw)[1].max_fee
            if 10 * offered < 11 * int(it["gasPrice"], 16):
                raise UnderpricedError(method, 0, "a transaction that offers as much waits")
            return bool(self.request("hardhat_dropTransaction", it["hash"]))
        return False

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

    # --- what nodes write ---

    def revert_data(self, error: Mapping[str, Any]) -> object:
        """Return what a contract reverted with; Hardhat has it one level further in."""
        found = super().revert_data(error)
        return found.get("data") if isinstance(found, dict) else found


_ERRORS: Final[tuple[tuple[type[RpcError], tuple[str, ...]], ...]] = (
    (UnderpricedError, ("replacement", "could not replace")),
    (NonceUsedError, ("nonce too low", "nonce is too low", "oldnonce", "nonce_too_low")),
    (
        FeeTooLowError,
        ("less than block base fee", "too low for the next block", "underpriced", "feetoolow",
         "gas price below"),
    ),
    (GasTooLowError, ("intrinsic gas", "intrinsic_gas", "intrinsicgas", "requires at least")),
)  # fmt: skip
"""What nodes say against a transaction: Anvil, Hardhat, geth, Nethermind, Besu, Erigon."""
_NO_FUNDS: Final = ("insufficient funds", "insufficientfunds", "enough funds", "upfront cost")
_QUEUES_NOTHING: Final = "transactions can't be queued when automining"
"""Hardhat's, after "nonce too low"."""


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


def _is_nobody(answer: Mapping[str, Any]) -> bool:
    """Tell whether an answer is of an account that is not there, and has zero for its code hash."""
    stated = (answer.get("nonce"), answer.get("balance"), answer.get("codeHash"))
    return stated == ("0x0", "0x0", to_hex(ZERO_HASH))
