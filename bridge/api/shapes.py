"""What answers look like, for OpenAPI: the shapes of `ledger.views`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ledger.amounts import MAX_DECIMALS

Decimal = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=2 * MAX_DECIMALS, strict=True)
]
"""Whole tokens in plain decimals: "12.5"."""


HashText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
AddressText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
Ratio = Annotated[str, Field(description="An exact ratio, rounded half to even to six decimals.")]
AnyHash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{64}$", strict=True)]


Repeated = Annotated[
    bool, Field(description="Whether an earlier request with this key did it: nothing was done.")
]


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


# --- amounts ---


class Amount(Shape):
    """An amount, as text: a JSON number would not hold it."""

    tokens: Decimal = Field(description="Whole tokens.", examples=["12.5"])
    base_units: Annotated[str, StringConstraints(pattern=r"^[0-9]+$")] = Field(
        description="Base units.", examples=["12500000000000000000"]
    )


# --- answers ---


class LedgerOut(Shape):
    """Which ledger this is."""

    ledger_id: HashText
    chain_id: str = Field(description="The ledger's own, before any chain (decimal).")
    registrar: AddressText
    last_seal: int
    assets: list[str]


class AssetOut(Shape):
    """An asset."""

    symbol: str
    name: str
    decimals: int
    id: HashText
    endowment: Amount
    operator: AddressText | None
    token_version: str
    token: AddressText | None = Field(description="The token's address, once there is an operator.")


class AssetsOut(Shape):
    """Every asset, in order of creation."""

    assets: list[AssetOut]


class LinkOut(Shape):
    """How an address that is not derived was proved."""

    scheme: str
    chain_id: int
    signature: str | None


class AccountOut(Shape):
    """An account."""

    account_id: str
    address: AddressText
    derived: bool
    registrar: AddressText
    created_at: str = Field(description="Microseconds since 1970, UTC.")
    status: Literal["open", "frozen", "closed"]
    link: LinkOut | None


class BalanceOut(Shape):
    """The numbers of an account in an asset."""

    asset: str
    account_id: str
    address: AddressText
    balance: Amount
    available: Amount
    total_earned: Amount
    total_spent: Amount
    total_staked: Amount
    max_debit: Amount | None
    max_balance: Amount | None


class AccountBalances(AccountOut):
    """An account and its balances, one for each asset."""

    balances: list[BalanceOut]


class AccountsOut(Shape):
    """A page of accounts, by id."""

    accounts: list[AccountOut]
    cursor: str | None = Field(description="Where the next page begins; null after the last.")


class PastBalanceOut(Shape):
    """What an account had at an earlier time."""

    asset: str
    account_id: str
    at: str
    balance: Amount


class EntryOut(Shape):
    """An entry."""

    asset: str
    seq: int
    id: HashText
    head: HashText
    time: str = Field(description="ISO 8601, UTC.")
    timestamp: str = Field(description="Microseconds since 1970, UTC.")
    from_account: str
    to_account: str
    amount: Amount
    balance_after_from: Amount | None = Field(
        description="Null for a key of other accounts than this one."
    )
    balance_after_to: Amount | None
    reason: str
    reference_type: str
    reference_id: str
    memo: str
    idempotency_key: str
    group: HashText
    kind: str
    cause: HashText
    repeated: Repeated


class EntriesOut(Shape):
    """A page of entries. A short page may have a cursor: go on until there is none."""

    entries: list[EntryOut]
    cursor: str | None


class HoldOut(Shape):
    """A hold."""

    asset: str
    number: int
    id: HashText
    state: Literal["pending", "posted", "voided", "expired"]
    account_id: str
    to_account: str
    amount: Amount
    remaining: Amount
    created_at: str
    updated_at: str
    expires_at: str | None
    reason: str
    reference_type: str
    reference_id: str
    memo: str
    idempotency_key: str


class HoldsOut(Shape):
    """A page of holds, the oldest first."""

    holds: list[HoldOut]
    cursor: str | None


class BatchOut(Shape):
    """A batch of a seal."""

    asset: str
    number: int
    id: HashText
    first_seq: int
    last_seq: int
    new_head: HashText
    tree_root: HashText
    payload_hash: HashText


class BatchesOut(Shape):
    """A page of an asset's batches, in order."""

    batches: list[BatchOut]
    cursor: str | None


class ReachedOut(Shape):
    """How far an asset is replayed on a chain."""

    chain_id: str
    replayed: int = Field(description="The seq of the last entry there.")
    state: Literal["mined", "safe", "finalized"]


class AssetOnChains(Shape):
    """Where an asset is."""

    asset: str
    token: AddressText | None
    entries: int
    chains: list[ReachedOut]


class ChainOut(Shape):
    """Where every asset is, as the outbox knows."""

    assets: list[AssetOnChains]


class SealOut(Shape):
    """A seal."""

    number: int
    id: HashText
    prev_seal: HashText
    timestamp: str
    batches: list[BatchOut]


class SealsOut(Shape):
    """A page of seals, in order."""

    seals: list[SealOut]
    cursor: str | None


class HolderOut(Shape):
    """One of the largest balances."""

    account_id: str
    balance: Amount
    share: Ratio


class VelocityOut(Shape):
    """How much changed hands lately."""

    window: str
    transfers: int
    amount: Amount
    ratio: Ratio | None


class SupplyOut(Shape):
    """Supply, distribution and velocity of an asset."""

    asset: str
    total_supply: Amount
    minted: Amount
    burned: Amount
    earned: Amount
    spent: Amount
    staked: Amount
    holders: int
    gini: Ratio | None
    top: list[HolderOut]
    velocity: VelocityOut | None


class ChangeOut(Shape):
    """Something that happened."""

    type: str
    asset: str | None
    number: int | None
    time: str
    timestamp: str
    account_id: str | None
    hold: HashText | None
    details: dict[str, Any]
    entry: EntryOut | None
    cursor: str


class ChangesOut(Shape):
    """A page of changes, and where to go on: always, for who asks again later."""

    changes: list[ChangeOut]
    cursor: str
    more: bool = Field(description="Whether there is more now.")


class LimitsOut(Shape):
    """Limits of an account."""

    account_id: str
    asset: str
    max_debit: Amount | None
    max_balance: Amount | None
    repeated: Repeated


class PostedOut(Shape):
    """Entries that were posted together."""

    entries: list[EntryOut]
    repeated: Repeated


class AssetMadeOut(AssetOut):
    """An asset that was created."""

    repeated: Repeated


class AccountMadeOut(AccountOut):
    """An account as a write left it."""

    repeated: Repeated


class HeldOut(HoldOut):
    """A hold as a write left it."""

    repeated: Repeated


class SealedOut(SealOut):
    """A seal that was made."""

    repeated: Repeated
