"""What becomes of each field of a ledger on each family of chains. Facts only, no I/O.

A family is what decides that, not a single chain: how addresses are made, how large an amount may
be, whether a block's hash covers logs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.errors import UnsupportedChainError
from ledger.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Family(StrEnum):
    """A kind of chain."""

    ETHEREUM = "ethereum"
    """Ethereum, and every chain that runs its EVM as Ethereum does."""
    ROLLUP = "rollup"
    """OP Stack and Arbitrum chains: the same EVM, with data posted to another chain."""
    ZKSYNC = "zksync-era"
    """zkSync Era and its sisters: contracts are compiled for, and addressed by, another machine."""
    SOLANA = "solana"
    COSMOS = "cosmos"
    """Chains of the Cosmos SDK; one that runs an EVM is of the first family there."""
    BITCOIN = "bitcoin"
    """Bitcoin, and whatever else has outputs instead of accounts."""

    @property
    def is_supported(self) -> bool:
        """Whether `chain replay` can put a ledger there, and nothing is lost."""
        return self in {Family.ETHEREUM, Family.ROLLUP}


ABOUT: Final[Mapping[Family, str]] = {
    Family.ETHEREUM: "supported; what the tests run on",
    Family.ROLLUP: "supported, by its specification (the tests run none): the same contracts and "
    "addresses; data is also paid for on the chain below, so a plan's cost is a part of it",
    Family.ZKSYNC: "not supported: its own CREATE2 gives other addresses, so accounts and tokens "
    "would not lie where every export says",
    Family.SOLANA: "not supported: no EVM, amounts of 64 bits, addresses that are other keys",
    Family.COSMOS: "not supported: no EVM; addresses are other hashes of the same keys",
    Family.BITCOIN: "not supported: no accounts, no tokens; a head of 32 bytes can be kept there",
}


class Fate(StrEnum):
    """What becomes of a field."""

    KEPT = "kept"
    """It is on the chain, as it is."""
    DERIVED = "derived"
    """Everybody can compute it from what is on the chain."""
    HASHED = "hashed"
    """The chain has a hash that commits to it; an export or a proof shows it."""
    STAYS = "stays"
    """It is in the ledger and its exports, and nowhere else."""
    POSSIBLE = "possible"
    """It would fit, but nothing here puts it there."""
    LOST = "lost"
    """That chain cannot have it, or not all of it."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What becomes of one field."""

    subject: str
    """ledger, asset, account, balance, entry, hold or seal."""
    field: str
    fate: Fate
    """On an EVM chain."""
    becomes: str
    """What it is there, or why it is not."""
    elsewhere: Mapping[Family, str] = dataclasses.field(default_factory=dict)
    """Why it is lost, by family."""

    @property
    def name(self) -> str:
        """Both in one, such as `entry.amount`."""
        return f"{self.subject}.{self.field}"

    def on(self, family: Family) -> tuple[Fate, str]:
        """Return what becomes of the field on chains of `family`."""
        if family in self.elsewhere:
            return Fate.LOST, self.elsewhere[family]
        if not family.is_supported and self.fate != Fate.STAYS:
            return Fate.POSSIBLE, "it would fit, but nothing here puts it there"
        return self.fate, self.becomes


_KEPT, _DERIVED, _HASHED, _STAYS = Fate.KEPT, Fate.DERIVED, Fate.HASHED, Fate.STAYS
_ADDRESS: Final = {
    Family.ZKSYNC: "its CREATE2 hashes another prefix and another code hash: another address",
    Family.SOLANA: "addresses are 32 bytes, keys of another curve: nobody's key fits",
    Family.COSMOS: "addresses are another hash of the key: the owner's key does not fit",
    Family.BITCOIN: "there are outputs with scripts, no accounts",
}
_LOG: Final = {
    Family.SOLANA: "logs are cut at 10,000 bytes, and no block hash covers them",
    Family.COSMOS: "events are covered by no block hash",
    Family.BITCOIN: "there are no logs",
}
_AMOUNT: Final = {
    Family.SOLANA: "64 bits: what is above 2**64 - 1 does not fit",
    Family.BITCOIN: "it counts its own coin and nothing else",
}
_TEXT: Final = {Family.BITCOIN: "there are no tokens that could have it"}
_CODE: Final = {
    Family.SOLANA: "the contract does not run there",
    Family.COSMOS: "the contract does not run there",
    Family.BITCOIN: "the contract does not run there",
}

_Elsewhere: TypeAlias = "Mapping[Family, str]"


def _rows(
    subject: str, *rows: tuple[str, Fate, str] | tuple[str, Fate, str, _Elsewhere]
) -> tuple[Mapped, ...]:
    """Return the rows of one subject; the first word of each may be several names."""
    return tuple(
        Mapped(subject, name, fate, becomes, *elsewhere)
        for names, fate, becomes, *elsewhere in rows
        for name in names.split()
    )


FIELDS: Final = (
    *_rows(
        "ledger",
        ("ledger_id", _KEPT, "`ledgerId()` of every token", _CODE),
        ("chain_id", _STAYS, "the virtual one of exports; the chain has its own"),
    ),
    *_rows(
        "asset",
        ("id", _KEPT, "`assetId()`, and the salt of the token's address", _CODE),
        ("symbol", _KEPT, "`symbol()`", _TEXT),
        ("name", _KEPT, "`name()`", _TEXT),
        ("decimals", _KEPT, "`decimals()`", _TEXT),
        ("operator", _KEPT, "`operator()` until finalize, then zero", _CODE),
        ("token_version", _HASHED, "the token's code, and so its address", _CODE),
        ("endowment", _STAYS, "each one given is an entry; the rule is the ledger's"),
    ),
    *_rows(
        "account",
        ("account_id blind", _HASHED, "in the salt of a derived address"),
        ("address", _KEPT, "topics of `Transfer`, the key of its balance", _ADDRESS),
        ("registrar", _HASHED, "in the salt of its address; `claim` checks it", _CODE),
        ("link", _STAYS, "the proof that an address is its owner's"),
        ("status", _STAYS, "no token knows it: finalize waits for the frozen"),
        ("created_at", _STAYS, "when the row was made"),
    ),
    *_rows(
        "balance",
        ("balance", _KEPT, "`balanceOf(address)`", _AMOUNT),
        ("total_earned", _DERIVED, "the sum of the `Transfer` logs to it", _LOG),
        ("total_spent", _DERIVED, "the sum of the `Transfer` logs from it", _LOG),
        ("total_staked", _STAYS, "no token knows it: finalize waits for holds"),
        ("max_debit max_balance", _STAYS, "no token knows it: limits are the ledger's"),
    ),
    *_rows(
        "entry",
        ("asset", _KEPT, "the address that logs: the asset's token", _LOG),
        ("seq", _DERIVED, "the log's place: `firstSeq` of its batch and on", _LOG),
        ("id", _HASHED, "a leaf of the batch's `treeRoot`; `prove entry` shows it"),
        ("head", _HASHED, "`newHead` of the batch that ends with it"),
        ("timestamp", _HASHED, "in its id; a block has one time for many"),
        ("from_account to_account", _HASHED, "by the address, which commits to the id"),
        ("from_address to_address", _KEPT, "topics 1 and 2 of `Transfer`", _LOG),
        ("amount", _KEPT, "the data of `Transfer`, 256 bits", {**_LOG, **_AMOUNT}),
        ("balance_after_from balance_after_to", _DERIVED, "the sum of the logs until there", _LOG),
        (
            "reason reference_type reference_id memo idempotency_key",
            _HASHED,
            "in its id; in no topic: `Transfer` has no room",
        ),
        ("group", _HASHED, "in its id; the chain's transaction is a batch"),
        ("kind cause blind", _HASHED, "in its id"),
        ("transaction", _STAYS, "its hash is a signature's, no entry's: in the outbox"),
    ),
    *_rows("hold", ("*", _STAYS, "moves nothing, so no log; exports carry it")),
    *_rows(
        "batch",
        ("payload", _KEPT, "calldata of `replay`, its hash in `BatchReplayed`", _CODE),
        ("heads tree_root", _KEPT, "in `BatchReplayed`", _LOG),
    ),
    *_rows("seal", ("*", _STAYS, "the chain folds its batches into `history`")),
)
"""Every field of the ledger, in the order of its tables."""

_ZKSYNC_CHAINS: Final = frozenset({324, 300, 280, 270, 260})
"""zkSync Era, its test networks and its local nodes."""


def family_of(chain: int | str) -> Family:
    """Return the family of a chain id, or of that name; an unknown chain id is of the first.

    Raises:
        UnsupportedChainError: there is no family of that name.
    """
    if isinstance(chain, int):
        return Family.ZKSYNC if chain in _ZKSYNC_CHAINS else Family.ETHEREUM
    try:
        return Family(chain)
    except ValueError:
        names = ", ".join(Family)
        raise UnsupportedChainError(
            f"{chain!r} is no family of chains ({names}): give one of them, or a chain id"
        ) from None


def check_chain_id(value: object, field: str) -> int:
    """Return `value` if it is a chain id, which is what CHAINID pushes in the EVM (EIP-1344).

    Raises:
        FieldError: naming `field`.
    """
    if type(value) is not int or not 1 <= value < 2**256:
        raise FieldError(field, "must be a chain id, an int of 1 .. 2**256 - 1")
    return value


def check_supported(chain: int | str) -> Family:
    """Return the family of a chain that a ledger can be put on.

    Raises:
        FieldError: it is neither a chain id nor a name.
        UnsupportedChainError: it cannot, and why; or there is no family of that name.
    """
    if not isinstance(chain, str):
        check_chain_id(chain, "chain")
    family = family_of(chain)
    if not family.is_supported:
        raise UnsupportedChainError(f"{family}: {ABOUT[family]}")
    return family
