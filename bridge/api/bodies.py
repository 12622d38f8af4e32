"""What requests look like: what is not known is refused, and nothing is converted."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bridge.api.shapes import (
    AccountText,
    AnyHash,
    Decimal,
    MaybeAccount,
    Memo,
    SymbolText,
    TimeText,
    Word,
)

Units = Annotated[str, StringConstraints(pattern=r"^[0-9]+$", max_length=78, strict=True)]
"""Base units in decimal digits."""


class Body(BaseModel):
    """A part of a request: what is not known is refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid")


class Tokens(Body):
    """An amount in whole tokens."""

    tokens: Decimal


class BaseUnits(Body):
    """An amount in base units."""

    base_units: Units


class BothUnits(Body):
    """An amount as answers have it; the two must be the same amount."""

    tokens: Decimal
    base_units: Units


AmountIn = Annotated[
    Decimal | BothUnits | Tokens | BaseUnits,
    Field(
        description="Whole tokens as text, or an object with `tokens`, `base_units`, or both.",
        examples=["12.5", {"base_units": "12500000000000000000"}],
    ),
]


class Words(Body):
    """What an entry says besides who and how much."""

    reason: Word = ""
    reference_type: Word = ""
    reference_id: Word = ""
    memo: Memo = ""


class MovementIn(Words):
    """One entry of a group. From `system` it is a mint, to `system` a burn."""

    from_account: AccountText
    to_account: AccountText
    amount: AmountIn
    asset: SymbolText | None = None


class TransferIn(MovementIn):
    """A transfer."""

    dry_run: bool = Field(default=False, strict=True, description="Check it, and post nothing.")


class MintIn(Words):
    """A mint, or a burn."""

    account_id: AccountText
    amount: AmountIn
    asset: SymbolText | None = None
    dry_run: bool = Field(default=False, strict=True)


class GroupIn(Body):
    """Entries posted together, all or none."""

    movements: list[MovementIn] = Field(min_length=1, max_length=1_000)
    dry_run: bool = Field(default=False, strict=True)


class AssetIn(Body):
    """An asset to create. None of it ever changes."""

    symbol: SymbolText
    name: Annotated[Word, StringConstraints(min_length=1)]
    decimals: int = Field(18, ge=0, le=255, strict=True)
    endowment: AmountIn | None = Field(
        default=None, description="Of new accounts; 1,000 tokens by default."
    )


class AccountIn(Body):
    """An account to create."""

    account_id: AccountText
    initial_balance: AmountIn | None = Field(
        default=None, description="Minted with it; the asset's endowment if left out."
    )
    asset: SymbolText | None = None
    dry_run: bool = Field(default=False, strict=True)


class StatusIn(Body):
    """What may be posted to an account from now on."""

    account_id: AccountText
    status: Literal["open", "frozen", "closed"]


class LimitsIn(Body):
    """Limits of an account, instead of those it has; null for any amount."""

    account_id: AccountText
    asset: SymbolText | None = None
    max_debit: AmountIn | None = None
    max_balance: AmountIn | None = None


class HoldIn(Words):
    """Part of a balance to set aside."""

    account_id: AccountText
    amount: AmountIn
    to_account: MaybeAccount = Field(
        "", description="Who gets it when it is posted; left out, posting names who does."
    )
    asset: SymbolText | None = None
    expires_at: Annotated[TimeText, StringConstraints(max_length=64, strict=True)] | None = Field(
        default=None, description="ISO 8601 with an offset.", examples=["2030-01-31T12:00:00+00:00"]
    )
    dry_run: bool = Field(default=False, strict=True)


class PostHoldIn(Words):
    """A hold to post, whole or in part."""

    amount: AmountIn | None = None
    keep_rest: bool = Field(default=False, strict=True)
    to_account: MaybeAccount = ""
    dry_run: bool = Field(default=False, strict=True)


class VoidHoldIn(Body):
    """A hold to release."""

    dry_run: bool = Field(default=False, strict=True)


class NothingIn(Body):
    """Nothing: what is sent all the same is refused."""


class ReversalIn(Body):
    """An entry to undo by a new one."""

    entry: AnyHash
    amount: AmountIn | None = None
    whole_group: bool = Field(default=False, strict=True)
    reason: Word = "reversal"
    reference_type: Word = ""
    reference_id: Word = ""
    memo: Memo = ""
    dry_run: bool = Field(default=False, strict=True)
