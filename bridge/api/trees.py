"""The last balance tree, kept: who asks for one proof after a seal mostly asks for another."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from bridge.proving import BalanceTree

if TYPE_CHECKING:
    from ledger import Asset, Ledger, SealedBatch

MOST_LEAVES: Final = 100_000
"""Of a tree that is kept: some 25 MB."""


class Trees:
    """The balance tree after a batch. Of a batch it never changes, so that the last one is kept."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._lock = Lock()
        self._last: tuple[tuple[str, int], BalanceTree] | None = None
        self.built = 0
        """How many trees were built."""

    def after(self, ledger: Ledger, asset: Asset, batch: SealedBatch) -> BalanceTree:
        """Return the tree right after `batch`; others who want one wait meanwhile.

        Raises:
            BridgeError, CorruptError: as `BalanceTree`.
        """
        wanted = (asset.symbol, batch.batch.number)
        with self._lock:
            if self._last is not None and self._last[0] == wanted:
                return self._last[1]
            self._last = None  # not two at a time
            tree = BalanceTree(ledger, asset.symbol, seal=batch.seal)
            self.built += 1
            if len(tree.leaves) <= MOST_LEAVES:
                self._last = wanted, tree
            return tree
