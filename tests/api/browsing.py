"""Pages of the explorer as a test asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from ledger import Ledger


def pages(ledger: Ledger, symbol: str, account: str) -> dict[str, str]:
    """Return the path of each kind of page by its name."""
    asset = quote(symbol, safe="")
    entry = ledger.get_statement(account, asset=symbol)[1]
    return {
        "home": f"/?asset={asset}",
        "entries": f"/entries?asset={asset}",
        "entry": f"/entry/{entry.id}",
        "accounts": "/accounts",
        "account": f"/account/{quote(account, safe='')}?asset={asset}",
        "seals": "/seals",
        "batch": f"/batch/1?asset={asset}",
        "holds": f"/holds?asset={asset}",
        "search": "/search?q=agent",
        "nothing-found": "/search?q=nothing+of+that+name",
        "missing": "/entry/0x" + "11" * 32,
    }
