"""Where transactions are now: mined, safe, finalized, or in no block any more.

A block is known by its hash. Whatever is noted of a block that is not part of the chain any more is
taken back: each attempt at its nonces may be mined again, and is asked about by who sends next.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from bridge.errors import ChainError
from bridge.outbox import PLACED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.chain import Chain
    from bridge.outbox import Attempt, Outbox, Status


Grade: TypeAlias = Literal["mined", "safe", "finalized"]
"""How safe a block is, as the chain says."""


class Confirmed(NamedTuple):
    """How deep in the chain a block must be."""

    confirmations: int = 1
    """Blocks, its own among them."""
    grade: Grade = "mined"


class Heads(NamedTuple):
    """The ends of the chain, by number; None where a chain does not say how safe its blocks are."""

    latest: int
    safe: int | None
    finalized: int | None

    def grade(self, number: int) -> Status:
        """Return how safe block `number` is."""
        if self.finalized is not None and number <= self.finalized:
            return "finalized"
        return "safe" if self.safe is not None and number <= self.safe else "mined"

    def confirm(self, number: int, wanted: Confirmed) -> bool:
        """Tell whether block `number` is as deep as it must be.

        Raises:
            ChainError: the chain does not say how safe its blocks are, so that nobody could tell.
        """
        head = {"mined": self.latest, "safe": self.safe, "finalized": self.finalized}[wanted.grade]
        if head is None:
            raise ChainError(
                f"this chain does not say which blocks are {wanted.grade}: wait for a number of "
                "blocks (--confirmations)"
            )
        return number <= min(head, self.latest - wanted.confirmations + 1)


def read_heads(chain: Chain) -> Heads:
    """Return where the chain ends now."""
    return Heads(chain.block().number, chain.head("safe"), chain.head("finalized"))


def track(outbox: Outbox, chain: Chain) -> Heads:
    """Bring what the outbox says of blocks up to date; return where the chain ends.

    From the last block down, every one that is not final is compared, and of those that are, as
    many as it takes to find one that is still there.
    """
    look_again(outbox, chain, ["dropped"])  # its nonce may not have gone elsewhere after all
    heads = read_heads(chain)
    placed = outbox.attempts(statuses=PLACED)
    placed.sort(key=lambda attempt: attempt.block_number or 0, reverse=True)
    for number, group in groupby(placed, key=lambda attempt: attempt.block_number or 0):
        attempts = list(group)
        known = chain.block_at(number)
        here = [it for it in attempts if known is not None and it.block_hash == known.hash]
        for attempt in attempts:
            if attempt not in here:
                _replace_or_take_back(outbox, chain, attempt)
        _grade(outbox, here, heads)
        if here and all(attempt.status == "finalized" for attempt in attempts):
            break  # what is below it was final before it
    return heads


def _grade(outbox: Outbox, attempts: Iterable[Attempt], heads: Heads) -> None:
    """Note how safe the block of `attempts` is; what failed there, failed."""
    for attempt in attempts:
        grade = heads.grade(attempt.block_number or 0)
        if attempt.status not in {grade, "failed"}:
            outbox.grade([attempt.signed.hash], grade)


def _replace_or_take_back(outbox: Outbox, chain: Chain, attempt: Attempt) -> None:
    """Note in which other block an attempt, or another at its nonce, is now; or that in none."""
    outbox.take_back(attempt.sender, [attempt.nonce])
    for one in outbox.attempts(sender=attempt.sender, nonce=attempt.nonce):
        receipt = chain.receipt(one.signed.hash)
        if receipt is not None:
            outbox.place(one.sender, one.nonce, receipt)
            return


def look_again(outbox: Outbox, chain: Chain, statuses: Iterable[Status]) -> None:
    """Ask whether anything of these statuses is in a block, and note it."""
    for attempt in outbox.attempts(statuses=statuses):
        receipt = chain.receipt(attempt.signed.hash)
        if receipt is not None:
            outbox.place(attempt.sender, attempt.nonce, receipt)
