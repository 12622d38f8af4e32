"""What a proof holds: an entry, a balance, or that a journal only grew, and what it hangs from.

Values only. `proof_files` writes and reads them, `proof_checks` recomputes what they state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ledger.encoding import address_word, uint_word

if TYPE_CHECKING:
    from ledger.model import Address, AssetTerms, Batch, EntryWords, Hash32, Metadata, Seal

BALANCE_TYPES: Final = ("address", "uint256", "address", "uint256", "bytes32")
"""ABI types of a leaf of a tree of balances: account, balance, token, chain id, batch id."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens a derived address: (account id, blind) and the registrar make it, and no other."""

    account_id: str
    blind: Hash32
    registrar: Address


@dataclass(frozen=True, slots=True)
class SealSignature:
    """A wallet's signature over a seal's id."""

    signer: Address
    signature: bytes
    """65 bytes: r, s in the lower half, v of 27 or 28."""


@dataclass(frozen=True, slots=True)
class StatedSeal:
    """A seal and the id that is stated of it."""

    seal: Seal
    id: Hash32


@dataclass(frozen=True, slots=True)
class Evidence:
    """A batch, the seal that has it, and those after it up to one that the reader may know."""

    batch: Batch
    batch_id: Hash32
    seals: tuple[StatedSeal, ...]
    """One or more: the first has the batch, and each names the one before it."""
    signature: SealSignature | None = None
    """Over the id of the last of them."""


@dataclass(frozen=True, slots=True)
class EntryProof:
    """An asset's journal has this entry."""

    ledger_id: Hash32
    asset: AssetTerms
    entry: EntryWords
    entry_id: Hash32
    metadata: Metadata | None
    """What `entry.ref` commits to; None where it stays private."""
    from_: Opening | None
    to: Opening | None
    path: tuple[Hash32, ...]
    """From the entry's leaf to the root of the batch's tree."""
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class BalanceLeaf:
    """What an account had right after a batch, on the token of a chain."""

    account: Address
    balance: int
    """Base units."""
    token: Address
    chain_id: int
    batch_id: Hash32

    def encoded(self) -> bytes:
        """Return abi.encode of the five words (`BALANCE_TYPES`)."""
        return (
            address_word(self.account)
            + uint_word(self.balance)
            + address_word(self.token)
            + uint_word(self.chain_id)
            + self.batch_id
        )

    def texts(self) -> tuple[str, ...]:
        """Return the five words as OpenZeppelin's JavaScript takes them."""
        return (
            str(self.account),
            str(self.balance),
            str(self.token),
            str(self.chain_id),
            str(self.batch_id),
        )


@dataclass(frozen=True, slots=True)
class BalanceProof:
    """The tree of balances with this root has this leaf."""

    ledger_id: Hash32
    asset: AssetTerms
    leaf: BalanceLeaf
    account: Opening | None
    path: tuple[Hash32, ...]
    root: Hash32
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The journal of the new batch begins with all entries of the old one's."""

    ledger_id: Hash32
    asset: AssetTerms
    old: Evidence
    new: Evidence
    path: tuple[Hash32, ...]


Proof: TypeAlias = EntryProof | BalanceProof | ConsistencyProof
