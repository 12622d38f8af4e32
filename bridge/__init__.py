"""From the ledger to files and EVM chains, and back: export, import, replay, verify."""
