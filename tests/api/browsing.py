"""Pages of the explorer as a test asks for them, and a visitor who notes what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from bridge.api.links import account_url

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request

    from ledger import Ledger

STATUS = {"missing": 404, "lost": 404, "failed": 422}
"""The status of the pages that are not there."""


def pages(ledger: Ledger, symbol: str, account: str) -> dict[str, str]:
    """Return the path of each kind of page by its name; the account has an entry and a hold."""
    asset = quote(symbol, safe="")
    entry = ledger.get_statement(account, asset=symbol)[1]
    hold = next(ledger.holds(account, symbol))
    return {
        "home": f"/?asset={asset}",
        "entries": f"/entries?asset={asset}",
        "entry": f"/entry/{entry.id}",
        "accounts": f"/accounts?asset={asset}",
        "account": account_url(account, asset=symbol),
        "assets": "/assets",
        "seals": "/seals",
        "seal": "/seal/1",
        "batch": f"/batch/1?asset={asset}",
        "holds": f"/holds?asset={asset}",
        "hold": f"/hold/{hold.id}",
        "search": "/search?q=agent",
        "nothing-found": "/search?q=nothing+of+that+name",
        "missing": "/entry/0x" + "11" * 32,
        "failed": f"/entries?asset={asset}&at=first",
        "lost": "/no/such/page",
    }


NAMES = (
    "home", "entries", "entry", "accounts", "account", "assets", "seals", "seal", "batch", "holds",
    "hold", "search", "nothing-found", "missing", "failed", "lost",
)  # fmt: skip
"""What `pages` names."""


class Visit:
    """One visitor, and everything that went wrong or elsewhere."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self._base = base
        self.page.on("console", self._complained)
        self.page.on("pageerror", self._failed)
        self.page.on("dialog", self._asked)
        self.page.on("request", self._requested)

    def _complained(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def _failed(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).netloc)

    def to(self, path: str, status: int = 200) -> Page:
        """Go there; the server must answer with `status`, and let nothing inline run."""
        answer = self.page.goto(self._base + path)
        assert answer is not None
        assert answer.status == status
        headers = answer.headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        return self.page

    def went_well(self) -> None:
        """Nothing complained, and nothing was fetched from anywhere else."""
        known = [
            it for it in self.complaints if "the server responded with a status of 4" not in it
        ]
        assert known == []
        assert self.hosts == {urlsplit(self._base).netloc}
