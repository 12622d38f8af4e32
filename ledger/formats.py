"""Constants of the formats that come from the account contracts: the same for every ledger.

A derived address is CREATE2 of these two; a test recompiles the contracts and compares.
"""

from __future__ import annotations

from ledger.model import Address, Hash32

FACTORY = Address.parse("0x0000000000000000000000000000000000010000")
"""Where the AccountFactory lies, on every EVM chain."""

ACCOUNT_INIT_CODE_HASH = Hash32(bytes(32))
"""keccak of the creation code of LedgerAccount."""

TOKEN_VERSION = "LedgerToken/1"  # noqa: S105 (the name of a contract, not a secret)
"""The contract a new asset becomes, unless told otherwise."""

DEFAULT_ENDOWMENT = "1000"
"""Whole tokens that a new account is endowed with."""
