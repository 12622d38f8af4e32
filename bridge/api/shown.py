"""What of an entry a caller is shown: everything but the balances of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.views import entry_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.api.guards import Caller
    from ledger import Asset, Entry, Ledger


def entry_out(caller: Caller, asset: Asset, entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON; a key of some accounts is told no balance of another."""
    shown: dict[str, Any] = entry_json(asset, entry)
    if caller.accounts:
        for side in ("from", "to"):
            if shown[f"{side}_account"] not in caller.accounts:
                shown[f"balance_after_{side}"] = None
    return shown


def entries_out(caller: Caller, ledger: Ledger, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return entries as JSON; for a key of some accounts, only those that name one of them."""
    return [
        entry_out(caller, ledger.asset(entry.asset), entry)
        for entry in entries
        if not caller.accounts or caller.accounts & {entry.from_account, entry.to_account}
    ]
