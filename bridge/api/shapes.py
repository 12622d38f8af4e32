"""What answers look like, for OpenAPI: the shapes of `ledger.views`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ledger import ChangeType
from ledger.amounts import MAX_DECIMALS

Decimal = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=2 * MAX_DECIMALS, strict=True)
]
"""Whole tokens in plain decimals: "12.5"."""


AccountText = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$", min_length=1, max_length=255, strict=True
    ),
]
"""The id of an account: no control characters. (Nor unassigned ones, which no pattern can say.)"""
MaybeAccount = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=255, strict=True)
]
"""An account's id, or empty for none."""
SymbolText = Annotated[
    str, StringConstraints(pattern=r"^[^\x00]+$", min_length=1, max_length=64, strict=True)
]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=255, strict=True)]
Memo = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=4_096, strict=True)]
"""At most 4,096 bytes, which JSON Schema cannot say."""
Number = Annotated[int, Field(ge=1, lt=2**62)]
"""Of an entry, event, batch or seal: they are counted from 1."""
ChainId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,78}$")]
Micros = Annotated[
    str, Field(pattern=r"^[0-9]{1,19}$", description="Microseconds since 1970, UTC.")
]
TimeText = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""ISO 8601, UTC."""
CursorOut = Annotated[
    str | None, Field(description="Where the next page begins; null after the last.")
]

HashText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
AddressText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
Ratio = Annotated[
    str,
    Field(
        pattern=r"^[0-9]+\.[0-9]{6}$",
        description="An exact ratio, rounded half to even to six decimals.",
    ),
]
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
    chain_id: ChainId = Field(description="The ledger's own, before any chain.")
    registrar: AddressText
    last_seal: int = Field(ge=0, description="0 before the first.")
    assets: list[SymbolText]


class AssetOut(Shape):
    """An asset."""

    symbol: SymbolText
    name: Word
    decimals: int = Field(ge=0, le=255)
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

    scheme: Literal["eip712", "eip191", "erc1271", "operator"]
    chain_id: int = Field(ge=0)
    signature: Annotated[str, StringConstraints(pattern=r"^0x([0-9a-f]{2})*$")] | None


class AccountOut(Shape):
    """An account."""

    account_id: AccountText
    address: AddressText
    derived: bool
    registrar: AddressText
    created_at: Micros
    status: Literal["open", "frozen", "closed"]
    link: LinkOut | None


class BalanceOut(Shape):
    """The numbers of an account in an asset."""

    asset: SymbolText
    account_id: AccountText
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
    cursor: CursorOut


class PastBalanceOut(Shape):
    """What an account had at an earlier time."""

    asset: SymbolText
    account_id: AccountText
    at: str
    balance: Amount


class EntryOut(Shape):
    """An entry."""

    asset: SymbolText
    seq: Number
    id: HashText
    head: HashText
    time: TimeText
    timestamp: Micros
    from_account: AccountText
    to_account: AccountText
    amount: Amount
    balance_after_from: Amount | None = Field(
        description="Null for a key of other accounts than this one."
    )
    balance_after_to: Amount | None
    reason: Word
    reference_type: Word
    reference_id: Word
    memo: Memo
    idempotency_key: Word = Field(
        description="With the id of the API key before it, if one sent it."
    )
    group: HashText
    kind: Literal["", "reversal", "hold", "chain", "signed"]
    cause: HashText
    repeated: Repeated


class EntriesOut(Shape):
    """A page of entries. A short page may have a cursor: go on until there is none."""

    entries: list[EntryOut]
    cursor: CursorOut


class HoldOut(Shape):
    """A hold."""

    asset: SymbolText
    number: Number
    id: HashText
    state: Literal["pending", "posted", "voided", "expired"]
    account_id: AccountText
    to_account: MaybeAccount
    amount: Amount
    remaining: Amount
    created_at: TimeText
    updated_at: TimeText
    expires_at: TimeText | None
    reason: Word
    reference_type: Word
    reference_id: Word
    memo: Memo
    idempotency_key: Word = Field(
        description="With the id of the API key before it, if one sent it."
    )


class HoldsOut(Shape):
    """A page of holds, the oldest first."""

    holds: list[HoldOut]
    cursor: CursorOut


class BatchOut(Shape):
    """A batch of a seal."""

    asset: SymbolText
    number: Number
    id: HashText
    first_seq: Number
    last_seq: Number
    new_head: HashText
    tree_root: HashText
    payload_hash: HashText


class BatchesOut(Shape):
    """A page of an asset's batches, in order."""

    batches: list[BatchOut]
    cursor: CursorOut


class ReachedOut(Shape):
    """How far an asset is replayed on a chain."""

    chain_id: ChainId
    replayed: int = Field(ge=0, description="The seq of the last entry there.")
    state: Literal["mined", "safe", "finalized"]


class AssetOnChains(Shape):
    """Where an asset is."""

    asset: SymbolText
    token: AddressText | None
    entries: int = Field(ge=0)
    chains: list[ReachedOut]


class ChainOut(Shape):
    """Where every asset is, as the outbox knows."""

    assets: list[AssetOnChains]


class SealOut(Shape):
    """A seal."""

    number: Number
    id: HashText
    prev_seal: HashText
    timestamp: Micros
    batches: list[BatchOut]


class SealsOut(Shape):
    """A page of seals, in order."""

    seals: list[SealOut]
    cursor: CursorOut


class HolderOut(Shape):
    """One of the largest balances."""

    account_id: AccountText
    balance: Amount
    share: Ratio


class VelocityOut(Shape):
    """How much changed hands lately."""

    window: Annotated[str, StringConstraints(pattern=r"^[0-9]+h$")]
    transfers: int = Field(ge=0)
    amount: Amount
    ratio: Ratio | None


class SupplyOut(Shape):
    """Supply, distribution and velocity of an asset."""

    asset: SymbolText
    total_supply: Amount
    minted: Amount
    burned: Amount
    earned: Amount
    spent: Amount
    staked: Amount
    holders: int = Field(ge=0)
    gini: Ratio | None
    top: list[HolderOut]
    velocity: VelocityOut | None


class ChangeOut(Shape):
    """Something that happened."""

    type: ChangeType
    asset: SymbolText | None
    number: Number | None
    time: TimeText
    timestamp: Micros
    account_id: AccountText | None
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

    account_id: AccountText
    asset: SymbolText
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
