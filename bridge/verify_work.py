"""What the parts of one verification share: ledger, block, the way to read it, what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from bridge.errors import BridgeError
from bridge.tokens import read_balances, read_token
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.chain import Block, Chain
    from bridge.compare import Mismatch
    from bridge.progress import ReportProgress
    from bridge.tokens import Token
    from ledger import Ledger
    from ledger.results import Asset, Identity

TAGS: Final = ("latest", "safe", "finalized")


class State(Protocol):
    """How the state of one block is read."""

    def token(self, identity: Identity, asset: Asset) -> Token:
        """Return the token of `asset`."""

    def balances(self, token: Address, addresses: Sequence[Address]) -> Iterator[int]:
        """Yield the token balance of each address."""


@dataclass(frozen=True, slots=True)
class CalledState:
    """State as the node says it is, by the token's own functions (`eth_call`)."""

    chain: Chain
    at: Block

    def token(self, identity: Identity, asset: Asset) -> Token:
        """Return the token of `asset`; raises as `read_token`."""
        return read_token(self.chain, identity, asset, self.at)

    def balances(self, token: Address, addresses: Sequence[Address]) -> Iterator[int]:
        """Yield the token balance of each address; raises as `read_balances`."""
        return read_balances(self.chain, token, addresses, self.at)


@dataclass(slots=True)
class Work:
    """One verification."""

    ledger: Ledger
    chain: Chain
    at: Block
    state: State
    is_proven: bool
    """Whether `state` is by proof, so that what contradicts it is a lie of the node."""
    limit: int
    """How many mismatches are listed."""
    live_blocks: int | None
    """In how many of the last blocks the logs of a live token are proven, if `is_proven`; None is
    all of them."""
    progress: ReportProgress
    accounts: int = 0
    """How many accounts there are."""
    doubted: dict[Address, Address] = field(default_factory=dict)
    """Stored addresses that do not follow from their accounts, and what does."""
    mismatches: list[Mismatch] = field(default_factory=list)
    omitted: int = 0

    def report(self, mismatch: Mismatch) -> None:
        """Keep a mismatch, or count it if there are too many to list."""
        if len(self.mismatches) < self.limit:
            self.mismatches.append(mismatch)
        else:
            self.omitted += 1


def named_block(chain: Chain, name: str) -> Block:
    """Return the block that a person named: by a tag, its number, or its hash (0x, 64 digits).

    Raises:
        BridgeError: that is no name of a block.
        ReorganisedError: the chain has no such block.
    """
    if name in TAGS:
        return chain.block(name)
    if len(name) == 2 + 2 * Hash32.size:
        return chain.block_with(Hash32.parse(name, "block"))
    if name.isascii() and name.isdigit():
        return chain.block(hex(int(name)))
    raise BridgeError(f"block: {name!r} is none: give {', '.join(TAGS)}, a number, or a hash")
