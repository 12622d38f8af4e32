"""What several files state in the same words, and how each word is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.strict import read_address, read_amount, read_hash, read_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.strict import Reader

BATCH: Final[Mapping[str, Reader]] = {
    "number": read_int,
    "first_seq": read_int,
    "last_seq": read_int,
    "prev_head": read_hash,
    "new_head": read_hash,
    "tree_root": read_hash,
    "payload_hash": read_hash,
}
"""Of a batch, all that its id commits to but the asset."""

LEAF: Final[Mapping[str, Reader]] = {
    "account": read_address,
    "balance": read_amount,
    "token": read_address,
    "chain_id": read_amount,
    "batch_id": read_hash,
}
"""Of a leaf of a tree of balances, all."""
