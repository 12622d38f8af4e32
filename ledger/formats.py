"""Constants of the formats that come from the account contracts: the same for every ledger.

A derived address is CREATE2 of these two; a test recompiles the contracts and compares.
"""

from __future__ import annotations

from ledger.model import Address, Hash32

FACTORY = Address.parse("0x4e340797EC185E74d64BbaB4238b2bA2a86E842D")
"""Where the AccountFactory lies, on every EVM chain."""

ACCOUNT_INIT_CODE_HASH = Hash32.parse(
    "0xa03c0e65ba3eb535008f1f9676ec6917a16af526720f74e6ae90831ef1c86491"
)
"""keccak of the creation code of LedgerAccount."""

TOKEN_VERSION = "LedgerToken/1"  # noqa: S105 (the name of a contract, not a secret)
"""The contract a new asset becomes, unless told otherwise."""

TOKEN_VERSIONS = (TOKEN_VERSION, "LedgerTokenDeferred/1")
"""The contracts that an asset may become (docs/contracts.md)."""

DEFAULT_ENDOWMENT = "1000"
"""Whole tokens that a new account is endowed with."""
