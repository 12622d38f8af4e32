"""A double-entry ledger in a SQL database in which every entry is an ERC-20 Transfer in waiting.

Start with `Ledger.create("sqlite:///ledger.db")`.
"""

from __future__ import annotations

from ledger.amounts import MAX_AMOUNT, format_amount, parse_amount
from ledger.audit import AuditReport
from ledger.changes import Change, ChangesPage, ChangeType
from ledger.checks import Finding
from ledger.errors import (
    BusyError,
    ConflictError,
    CorruptError,
    DatabaseFileError,
    FieldError,
    LedgerError,
    NotFoundError,
    RefusedError,
    Rule,
)
from ledger.evidence import PastBalance
from ledger.joined import Joined
from ledger.ledger import Ledger
from ledger.links import Link, LinkScheme, link_message, link_typed_data
from ledger.measures import Distribution, Supply, Velocity, format_ratio
from ledger.model import ISSUER, Address, Hash32, HoldState, Kind, Status
from ledger.requests import (
    Group,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    Reverse,
    SetLimits,
    SetStatus,
    VoidHold,
)
from ledger.restore import Restore, RestoreError
from ledger.results import (
    Account,
    Asset,
    Balance,
    Entry,
    Hold,
    Identity,
    JournalHead,
    Limits,
    Receipt,
    Sealed,
    SealedBatch,
)
from ledger.statements import Filters, StatementPage
from ledger.upgrading import SchemaUpgrade, upgrade_schema

__all__ = [
    "ISSUER",
    "MAX_AMOUNT",
    "Account",
    "Address",
    "Asset",
    "AuditReport",
    "Balance",
    "BusyError",
    "Change",
    "ChangeType",
    "ChangesPage",
    "ConflictError",
    "CorruptError",
    "DatabaseFileError",
    "Distribution",
    "Entry",
    "FieldError",
    "Filters",
    "Finding",
    "Group",
    "Hash32",
    "Hold",
    "HoldState",
    "Identity",
    "Joined",
    "JournalHead",
    "Kind",
    "Ledger",
    "LedgerError",
    "Limits",
    "Link",
    "LinkScheme",
    "Movement",
    "NotFoundError",
    "OpenAccount",
    "PastBalance",
    "PlaceHold",
    "PostHold",
    "Receipt",
    "RefusedError",
    "Restore",
    "RestoreError",
    "Reverse",
    "Rule",
    "SchemaUpgrade",
    "Sealed",
    "SealedBatch",
    "SetLimits",
    "SetStatus",
    "StatementPage",
    "Status",
    "Supply",
    "Velocity",
    "VoidHold",
    "format_amount",
    "format_ratio",
    "link_message",
    "link_typed_data",
    "parse_amount",
    "upgrade_schema",
]
