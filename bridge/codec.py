"""How a ledger speaks on chain: payloads, `Transfer` logs, `BatchReplayed`, calls by ABI.

Payload v1 itself is `ledger.payload`, because a batch's id commits to it before any chain exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from bridge.errors import ChainError, ForeignContractError
from ledger.encoding import address_word, uint_word
from ledger.errors import FieldError
from ledger.hashing import keccak_text
from ledger.model import Address, Hash32, Record
from ledger.payload import decode_payload, encode_payload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BATCH_REPLAYED",
    "REPLAY",
    "TRANSFER",
    "BatchReplayed",
    "Log",
    "Place",
    "RpcLog",
    "decode_payload",
    "decode_result",
    "encode_arguments",
    "encode_call",
    "encode_payload",
    "quantity",
    "transfer_log",
    "transfer_record",
]

TRANSFER: Final = Hash32(keccak_text("Transfer(address,address,uint256)"))
"""topics[0] of an ERC-20 transfer (EIP-20)."""

BATCH_REPLAYED: Final = Hash32(
    keccak_text("BatchReplayed(uint64,uint64,uint64,bytes32,bytes32,bytes32,bytes32,bytes32)")
)
"""topics[0] of the event that ends a replayed batch."""

REPLAY: Final = "replay(bytes32,bytes32,bytes32,bytes)"
"""What replays a batch: the history before it, the head after it, its tree root, its payload."""

RpcLog: TypeAlias = dict[str, "str | list[str] | bool"]
"""A log as `eth_getLogs` returns it, ready for JSON."""

_BATCH_DATA: Final = ("uint64", "uint64", *["bytes32"] * 5)
_TRANSFER_TOPICS: Final = 3
_ADDRESS_PAD: Final = bytes(12)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a log is: in which block, transaction and position (EIP-1474, `eth_getLogs`)."""

    block_number: int
    block_hash: Hash32
    transaction_index: int
    transaction_hash: Hash32
    log_index: int


@dataclass(frozen=True, slots=True)
class Log:
    """One log, complete."""

    address: Address
    topics: tuple[Hash32, ...]
    data: bytes
    place: Place

    @classmethod
    def parse(cls, log: Mapping[str, Any]) -> Self:
        """Return the log that a node gave.

        Raises:
            ChainError: a field is missing or malformed, or the log was removed by a
                reorganisation.
        """
        try:
            if log.get("removed"):
                raise ChainError("the node returned a removed log: run again")
            return cls(
                Address(bytes.fromhex(log["address"][2:])),
                tuple(Hash32(bytes.fromhex(topic[2:])) for topic in log["topics"]),
                bytes.fromhex(log["data"][2:]),
                Place(
                    int(log["blockNumber"], 16),
                    Hash32(bytes.fromhex(log["blockHash"][2:])),
                    int(log["transactionIndex"], 16),
                    Hash32(bytes.fromhex(log["transactionHash"][2:])),
                    int(log["logIndex"], 16),
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ChainError(f"the node returned a malformed log ({error!r})") from None

    def to_rpc(self) -> RpcLog:
        """Return the object that `eth_getLogs` returns for this log: lower-case hex throughout."""
        place = self.place
        return {
            "address": "0x" + self.address.hex(),
            "topics": ["0x" + topic.hex() for topic in self.topics],
            "data": "0x" + self.data.hex(),
            "blockNumber": quantity(place.block_number),
            "transactionHash": "0x" + place.transaction_hash.hex(),
            "transactionIndex": quantity(place.transaction_index),
            "blockHash": "0x" + place.block_hash.hex(),
            "logIndex": quantity(place.log_index),
            "removed": False,
        }


@dataclass(frozen=True, slots=True)
class BatchReplayed:
    """What the contract says of a batch: all but `new_head` and `tree_root` it computed itself."""

    number: int
    """Counted on that contract, from 1."""
    first_seq: int
    last_seq: int
    prev_head: Hash32
    new_head: Hash32
    tree_root: Hash32
    payload_hash: Hash32
    history: Hash32
    """The contract's history after the batch."""
    place: Place

    @classmethod
    def parse(cls, log: Log) -> Self:
        """Return the event in `log`; raise ChainError if it is no `BatchReplayed`."""
        form = (len(log.topics), len(log.data))
        if form != (2, Hash32.size * len(_BATCH_DATA)) or log.topics[0] != BATCH_REPLAYED:
            place = log.place
            raise ChainError(
                f"log {place.log_index} of block {place.block_number} is no BatchReplayed event"
            )
        first, last, *words = decode_result(_BATCH_DATA, log.data)
        prev_head, new_head, tree_root, payload_hash, history = map(Hash32, words)
        return cls(
            int.from_bytes(log.topics[1], "big"),
            first,
            last,
            prev_head,
            new_head,
            tree_root,
            payload_hash,
            history,
            log.place,
        )

    @property
    def size(self) -> int:
        """How many entries the batch has."""
        return self.last_seq - self.first_seq + 1


def quantity(number: int) -> str:
    """Return `number` as a JSON-RPC quantity: 0x and hex digits without leading zeros."""
    return hex(number)


def transfer_log(address: Address, record: Record, place: Place) -> Log:
    """Return the `Transfer` that `record` is on the token at `address`."""
    topics = (TRANSFER, Hash32(address_word(record.from_)), Hash32(address_word(record.to)))
    return Log(address, topics, uint_word(record.amount), place)


def transfer_record(log: Log) -> Record | None:
    """Return the movement that `log` is, or None if it is no ERC-20 `Transfer`.

    ERC-721 has the same signature with a fourth topic and no data.
    """
    topics = log.topics
    if len(topics) != _TRANSFER_TOPICS or topics[0] != TRANSFER or len(log.data) != Hash32.size:
        return None
    if topics[1][:12] != _ADDRESS_PAD or topics[2][:12] != _ADDRESS_PAD:
        return None
    amount = int.from_bytes(log.data, "big")
    return Record(Address(topics[1][12:]), Address(topics[2][12:]), amount)


def encode_arguments(types: Sequence[str], values: Sequence[object]) -> bytes:
    """Return abi.encode of `values` (Solidity ABI specification, "Formal Specification")."""
    from eth_abi.abi import encode  # noqa: PLC0415 (slow to import: see `bridge.chain`)

    return encode(types, values)


def encode_call(signature: str, *values: object) -> bytes:
    """Return the calldata of `signature`, such as `balanceOf(address)`, with `values`.

    Bytes and addresses are given as bytes.
    """
    types = signature[signature.index("(") + 1 : -1]
    return keccak_text(signature)[:4] + encode_arguments(types.split(",") if types else [], values)


def decode_result(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Return the values in `data`, as a call returned them.

    Raises:
        ForeignContractError: `data` is not an ABI encoding of `types`.
    """
    from eth_abi.abi import decode  # noqa: PLC0415 (slow to import: see `bridge.chain`)
    from eth_abi.exceptions import DecodingError  # noqa: PLC0415 (same)

    try:
        return tuple(decode(types, data))
    except (DecodingError, FieldError, ValueError, OverflowError) as error:
        raise ForeignContractError(f"a contract did not answer with {types} ({error})") from None
