"""Pictures of every page for `docs/explorer`: `python -m tests.api.screenshots`. Look at them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from bridge.api import Settings
from tests.api.browsing import pages
from tests.api.sample import sample_ledger
from tests.api.server import ApiServer
from tests.support.chromium import launch

FOLDER: Final = Path(__file__).parents[2] / "docs" / "explorer"
SCREENS: Final = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES: Final = ("light", "dark")
LEFT_OUT: Final = {"lost"}
"""Looks as what is missing does."""
TALLEST: Final = 1_400
"""Pixels of a page that its picture has."""


def picture(name: str, screen: str, scheme: str) -> Path:
    """Return where a picture is kept."""
    return FOLDER / f"{name}-{screen}-{scheme}.jpg"


def main() -> None:
    """Take every picture anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        ledger = sample_ledger(f"sqlite:///{temporary}/ledger.db")
        server = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
        browser = launch(playwright, Path(temporary))
        for screen, (width, height) in SCREENS.items():
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                page = context.new_page()
                for name, path in pages(ledger, "SCI", "agent-01").items():
                    if name in LEFT_OUT:
                        continue
                    page.goto(server.url + path)
                    if name == "entry":
                        page.get_by_role("button", name="Recompute").click()
                    tall = page.evaluate("document.documentElement.scrollHeight")
                    page.screenshot(
                        path=picture(name, screen, scheme),
                        type="jpeg",
                        quality=48,
                        full_page=True,
                        clip={"x": 0, "y": 0, "width": width, "height": min(tall, TALLEST)},
                    )
                context.close()
        browser.close()
        server.stop()
        ledger.close()


if __name__ == "__main__":
    main()
