"""Real input: the ERC-20 transfers of two mainnet blocks as movements. Values only but the file."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING

from bridge.codec import TRANSFER
from ledger import ISSUER, Address, Group, Hash32, Kind, Movement
from ledger.ids import chain_cause

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAIN_ID = 1
"""Ethereum mainnet."""

_TOPICS_OF_ERC20 = 3
_FILE = "mainnet_logs_17173049_17173050.jsonl"


@dataclass(frozen=True, slots=True)
class MainnetTransfer:
    """One ERC-20 `Transfer` as the chain logged it."""

    token: str
    """The token's address, lower case: it stands for the symbol."""
    transaction: str
    topics: tuple[str, ...]
    data: str
    cause: Hash32
    """keccak of (chain id, block hash, log index): where it happened, once and for all."""

    @property
    def movement(self) -> Movement:
        """The entry that it becomes."""
        return Movement(
            _account(self.topics[1]),
            _account(self.topics[2]),
            int(self.data, 16),
            self.token,
            reason="mainnet",
            reference_type="transaction",
            reference_id=self.transaction,
            kind=Kind.CHAIN,
            cause=self.cause,
        )


def read_transfers() -> tuple[list[MainnetTransfer], int]:
    """Return the ERC-20 transfers of the file, in order, and how many ERC-721 ones were skipped."""
    found: list[MainnetTransfer] = []
    skipped = 0
    for line in files("bridge").joinpath("data", _FILE).read_text(encoding="utf-8").splitlines():
        log = json.loads(line)
        if not log["topics"] or log["topics"][0] != str(TRANSFER):
            continue
        if len(log["topics"]) != _TOPICS_OF_ERC20:
            skipped += 1
            continue
        cause = chain_cause(CHAIN_ID, Hash32.parse(log["block_hash"]), log["log_index"])
        found.append(
            MainnetTransfer(
                log["address"], log["transaction_hash"], tuple(log["topics"]), log["data"], cause
            )
        )
    return found, skipped


def groups(transfers: list[MainnetTransfer]) -> Iterator[Group]:
    """Return one group a transaction: its logs happened together or not at all."""
    for _, together in groupby(transfers, key=lambda transfer: transfer.transaction):
        yield Group(tuple(transfer.movement for transfer in together))


def opening_balances(transfers: list[MainnetTransfer]) -> list[Movement]:
    """Return the mints without which the history, which starts in the middle, would overdraw."""
    held: defaultdict[tuple[str, str], int] = defaultdict(int)
    lowest: defaultdict[tuple[str, str], int] = defaultdict(int)
    for transfer in transfers:
        movement = transfer.movement
        debit = (transfer.token, movement.from_account)
        held[debit] -= movement.amount
        lowest[debit] = min(lowest[debit], held[debit])
        held[transfer.token, movement.to_account] += movement.amount
    return [
        Movement(ISSUER, account_id, -least, token, reason="opening balance")
        for (token, account_id), least in lowest.items()
        if least < 0 and account_id != ISSUER
    ]


def _account(topic: str) -> str:
    """Return the account that an address in a topic is: its own id, in lower case."""
    address = Address(bytes.fromhex(topic[2:])[12:])
    return ISSUER if not any(address) else "0x" + address.hex()
