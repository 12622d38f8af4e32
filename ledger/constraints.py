"""What a violated constraint says: that another was faster, or which rule it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.engine import violated_constraint
from ledger.errors import CorruptError, RefusedError, Rule

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

RACES = {"token_keys_pkey", "token_keys.key", "token_accounts_pkey", "token_accounts.account_id",
          "token_accounts_address", "token_accounts.address"}  # fmt: skip
"""Constraints that another process can make us violate between our read and our write."""

_RULES = {
    "token_balances_not_negative": Rule.INSUFFICIENT_AVAILABLE,
    "token_balances_balance_range": Rule.INSUFFICIENT_AVAILABLE,
    "token_balances_earned_range": Rule.TOTAL_OVERFLOW,
    "token_balances_spent_range": Rule.TOTAL_OVERFLOW,
    "token_ledger_two_accounts": Rule.SAME_ACCOUNT,
    "token_ledger_amount_positive": Rule.AMOUNT_ZERO,
    "token_ledger_amount_range": Rule.INVALID_FIELD,
    "token_ledger_chain_cause": Rule.CAUSE_REUSED,
    "token_ledger_reversed": Rule.ENTRY_REVERSED,
    "token_ledger.cause": Rule.CAUSE_REUSED,
}
"""What a violated constraint of this name says, should a check in Python ever be missing."""


def refusal_of(error: DBAPIError) -> RefusedError:
    """Return the refusal that a violated constraint means. Raises CorruptError for any other."""
    name = violated_constraint(error)
    if name == "token_journals_closed":  # not checked in Python: the schema costs nothing here
        return RefusedError(
            Rule.ASSET_CLOSED,
            "the asset is closed: its journal has ended, and nothing is posted to it or held of it "
            "any more (its token went live, or is about to: `evm-ledger chain finalize`)",
        )
    if name in _RULES:
        return RefusedError(_RULES[name], f"the database refused it ({name})")
    raise CorruptError(
        f"post: the database refused a row ({name}); run `evm-ledger audit`"
    ) from error
