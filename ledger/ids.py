"""Ids and heads: what is hashed in which order (design: formats, frozen).

Every function takes and returns plain bytes of the stated length, and has no other input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.encoding import (
    asset_struct,
    batch_struct,
    claim_struct,
    digest,
    entry_struct,
    group_struct,
    hold_struct,
    link_struct,
    metadata_struct,
    seal_struct,
    token_domain,
    uint_word,
)
from ledger.hashing import keccak
from ledger.model import Hash32

if TYPE_CHECKING:
    from ledger.model import AssetTerms, Batch, EntryWords, HoldWords, Metadata, Seal


def asset_id(asset: AssetTerms) -> Hash32:
    """Return the asset's id: hashStruct of its symbol, name and decimals."""
    return Hash32(asset_struct(asset))


def ledger_chain_id(ledger_id: bytes) -> int:
    """Return the ledger's own chain id, used before any chain: 2**50 + ledger_id mod 2**50."""
    return 2**50 + int.from_bytes(ledger_id, "big") % 2**50


def metadata_ref(metadata: Metadata) -> Hash32:
    """Return an entry's `ref`: hashStruct of its metadata."""
    return Hash32(metadata_struct(metadata))


def entry_id(domain: bytes, entry: EntryWords) -> Hash32:
    """Return the id of `entry` in the ledger whose domain separator is `domain`."""
    return Hash32(digest(domain, entry_struct(entry)))


def hold_id(domain: bytes, hold: HoldWords) -> Hash32:
    """Return the id of `hold`: the cause of the entries that post it."""
    return Hash32(digest(domain, hold_struct(hold)))


def group_id(domain: bytes, asset: bytes, seq: int, count: int) -> Hash32:
    """Return the id of the group whose lowest (asset, seq) is given, of `count` entries."""
    return Hash32(digest(domain, group_struct(asset, seq, count)))


def first_head(domain: bytes, asset: bytes) -> Hash32:
    """Return head_0 of an asset's journal, which is also its history_0 on chain."""
    return Hash32(keccak(domain + asset))


def next_head(head: bytes, entry_id_: bytes) -> Hash32:
    """Return head_n from head_{n-1} and id_n."""
    return Hash32(keccak(head + entry_id_))


def batch_id(domain: bytes, batch: Batch) -> Hash32:
    """Return the id of `batch`."""
    return Hash32(digest(domain, batch_struct(batch)))


def seal_id(domain: bytes, seal: Seal) -> Hash32:
    """Return the id of `seal`; a wallet can sign it as a checkpoint."""
    return Hash32(digest(domain, seal_struct(seal)))


def next_history(history: bytes, batch_id_: bytes) -> Hash32:
    """Return history_n (what the token contract keeps) from history_{n-1} and batch id n."""
    return Hash32(keccak(history + batch_id_))


def link_digest(domain: bytes, account_id: str, wallet: bytes, chain_id: int) -> Hash32:
    """Return what the owner of `wallet` signs to bind it to `account_id`."""
    return Hash32(digest(domain, link_struct(account_id, wallet, chain_id)))


def claim_digest(domain: bytes, key: bytes, wallet: bytes, nonce: int, deadline: int) -> Hash32:
    """Return what a registrar signs to let `wallet` claim; `domain` is `claim_domain`."""
    return Hash32(digest(domain, claim_struct(key, wallet, nonce, deadline)))


def claim_domain(name: str, chain_id: int, contract: bytes) -> Hash32:
    """Return the domain separator of a token contract, for claims and permits."""
    return Hash32(token_domain(name, chain_id, contract))


def chain_cause(chain_id: int, block_hash: bytes, log_index: int) -> Hash32:
    """Return the cause of an entry read from a chain: keccak(abi.encode(of its place))."""
    return Hash32(keccak(uint_word(chain_id) + block_hash + uint_word(log_index)))


def chained(
    domain: bytes, head: bytes, entry: EntryWords, metadata: Metadata
) -> tuple[bytes, bytes]:
    """Return (id, head) of `entry` after `head`; `entry.ref` is ignored, `metadata` hashed.

    The one function that posting, audit and import share, so that they cannot disagree.
    """
    id_ = digest(domain, entry_struct(entry, metadata_struct(metadata)))
    return id_, keccak(head + id_)
