"""What the ledger gives back: frozen values, complete in themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.amounts import format_amount, parse_amount
from ledger.model import (
    ZERO_HASH,
    Address,
    Batch,
    Hash32,
    HoldState,
    Kind,
    Seal,
    Status,
)
from ledger.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ledger.links import Link


@dataclass(frozen=True, slots=True)
class Identity:
    """Which ledger this is."""

    ledger_id: Hash32
    domain: Hash32
    """The EIP-712 domain separator of every id in this ledger."""
    chain_id: int
    """The ledger's own, used in exports before any chain."""
    registrar: Address
    """Who may authorise claims of derived addresses of new accounts."""
    own_registrar: bool
    """Whether that is the ledger's own key, made from its pepper."""
    pepper: Hash32 | None
    """The secret behind every blind; None in a ledger imported without it."""
    created_at: int


@dataclass(frozen=True, slots=True)
class Asset:
    """What is counted. Symbol, name and decimals are in its id and never change."""

    number: int
    """Local to this database, in order of creation."""
    id: Hash32
    symbol: str
    name: str
    decimals: int
    endowment: int
    """Base units that a new account gets."""
    operator: Address | None
    """Who may replay; part of the token's address. None until it is set."""
    token_version: str

    def parse(self, text: str, field: str = "amount") -> int:
        """Return the base units of `text`, whole tokens such as "12.5". Raises FieldError."""
        return parse_amount(text, self.decimals, field)

    def format(self, amount: int) -> str:
        """Return `amount` (base units) as whole tokens, exactly."""
        return format_amount(amount, self.decimals)


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds. Its address never changes, because its tokens live there."""

    account_id: str
    address: Address
    blind: Hash32
    """Opens this account's address to somebody and no other's; zero where the id is one."""
    registrar: Address
    derived: bool
    """True: the address is CREATE2 of (ledger, key, registrar). False: it is the id, or given."""
    created_at: int
    status: Status = Status.OPEN
    link: Link | None = None
    """How a given address was proved to be the owner's; None where none was given."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of one asset, in base units. Available = balance - total_staked."""

    asset: str
    account_id: str
    address: Address
    balance: int
    total_earned: int
    total_spent: int
    total_staked: int
    """The sum of its pending holds."""
    max_debit: int | None = None
    """Largest amount of one debit; None for any."""
    max_balance: int | None = None
    """Largest balance after a credit; None for any."""

    @property
    def available(self) -> int:
        """What can be debited now."""
        return self.balance - self.total_staked


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable movement: one asset, one debit account, one credit account, one amount."""

    asset: str
    """The asset's symbol."""
    seq: int
    """Its position in the asset's journal: 1, 2, 3, ... without gaps."""
    id: Hash32
    head: Hash32
    """The running hash of the journal after this entry."""
    timestamp: int
    """Microseconds since 1970 UTC; strictly growing from group to group."""
    from_account: str
    to_account: str
    from_address: Address
    to_address: Address
    amount: int
    """Base units."""
    balance_after_from: int
    """Of the issuer's side: the supply after."""
    balance_after_to: int
    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""
    group: Hash32 = ZERO_HASH
    """The id of the group it was posted with; zero for an entry alone."""
    kind: str = Kind.PLAIN
    cause: Hash32 = ZERO_HASH
    blind: Hash32 = ZERO_HASH
    repeated: bool = False
    """True where an idempotency key brought back what an earlier call had made."""

    @property
    def time(self) -> datetime:
        """The timestamp as an aware UTC datetime."""
        return moment_of(self.timestamp)

    @property
    def origin(self) -> str:
        """`local`, or `chain` for an entry read from one."""
        return "chain" if self.kind == Kind.CHAIN else "local"


@dataclass(frozen=True, slots=True)
class Hold:
    """Part of a balance set aside. It moves nothing: posting it makes an entry."""

    asset: str
    """The asset's symbol."""
    number: int
    """Of the event that made it; grows with time within an asset."""
    id: Hash32
    """EIP-712 digest of `Hold`; the cause of the entries that post it."""
    account_id: str
    to_account: str
    """Who gets it; "" where posting it names somebody."""
    from_address: Address
    to_address: Address
    """Zero where nobody is named."""
    amount: int
    """Base units, as first held."""
    remaining: int
    """Base units still held; 0 once it is resolved."""
    state: HoldState
    created_at: int
    updated_at: int
    expires_at: int | None = None
    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""
    blind: Hash32 = ZERO_HASH


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do with one asset at most, in base units; None for any amount."""

    max_debit: int | None = None
    max_balance: int | None = None


@dataclass(frozen=True, slots=True)
class CarriedHold:
    """A pending hold, as an export carries it."""

    hold: Hold
    after_seq: int
    """The entry that it follows."""


@dataclass(frozen=True, slots=True)
class HoldKey:
    """An idempotency key that made a hold."""

    idempotency_key: str
    asset: str
    number: int


@dataclass(frozen=True, slots=True)
class Carried:
    """What an export carries of an asset besides its entries."""

    holds: Sequence[CarriedHold] = ()
    """The pending ones, ascending by number."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Of every account that has any."""
    last_hold: int = 0
    """The greatest number that a hold of the asset ever had: the next ones are greater."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one item of `post_many` made."""

    entries: tuple[Entry, ...] = ()
    account: Account | None = None
    """Of an account's creation or a change of its status: as it is after."""
    repeated: bool = False
    """True where the idempotency key was known: nothing was posted, this is the first result."""
    hold: Hold | None = None
    """The hold that was made, posted or voided: as it is after."""
    limits: Limits | None = None
    """The limits that were set."""


@dataclass(frozen=True, slots=True)
class JournalHead:
    """Where an asset's journal stands: the last seq, its head, its time (0 before the first)."""

    seq: int
    head: Hash32
    last_time: int
    closed: bool = False
    """Whether the journal has ended: nothing will be posted after `seq`."""


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch as it is stored."""

    batch: Batch
    id: Hash32
    symbol: str
    seal: int
    frontier: bytes
    """The tree's peaks after the batch, so that sealing costs O(batch)."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal as it is stored, with its batches in the order that its id hashes."""

    seal: Seal
    id: Hash32
    batches: tuple[SealedBatch, ...]
