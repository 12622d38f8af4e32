"""A double-entry token ledger whose every entry is already an ERC-20 transfer."""
