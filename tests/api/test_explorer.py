"""The explorer in a real browser: every page, with and without script, with hostile texts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from bridge.api import Settings
from tests.api.browsing import pages
from tests.api.sample import HOSTILE, hostile_ledger, sample_ledger
from tests.api.server import ApiServer
from tests.support.chromium import launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Dialog,
        Error,
        Page,
        Request,
    )

    from ledger import Ledger

OPEN = Settings(open_reads=True, rate=1e6, burst=1_000_000)
NAMES = (
    "home", "entries", "entry", "accounts", "account", "seals", "batch", "holds", "search",
    "nothing-found", "missing",
)  # fmt: skip
STATUS = {"missing": 404}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Run one Chromium for the module."""
    with sync_playwright() as playwright:
        browser = launch(playwright, tmp_path_factory.mktemp("chromium"))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, Ledger]]:
    """Serve the ledger for people to look at."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'ledger.db'}"
    with sample_ledger(url) as ledger:
        server = ApiServer(ledger, OPEN)
        yield server, ledger
        server.stop()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, Ledger]]:
    """Serve the ledger of hostile texts."""
    url = f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'ledger.db'}"
    with hostile_ledger(url) as ledger:
        server = ApiServer(ledger, OPEN)
        yield server, ledger
        server.stop()


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
        """Go there; the server must answer with `status`."""
        answer = self.page.goto(self._base + path)
        assert answer is not None
        assert answer.status == status
        return self.page

    def went_well(self) -> None:
        """Nothing complained, and nothing was fetched from anywhere else."""
        known = [it for it in self.complaints if "status of 404" not in it]
        assert known == []
        assert self.hosts == {urlsplit(self._base).netloc}


@pytest.fixture
def visit(browser: Browser, sample: tuple[ApiServer, Ledger]) -> Iterator[Visit]:
    """Visit the sample on a desktop."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = Visit(context, sample[0].url)
    yield made
    made.went_well()
    context.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page(
    browser: Browser, sample: tuple[ApiServer, Ledger], name: str, width: int, *, script: bool
) -> None:
    """Each has a title, one heading, the search box, and fits the screen."""
    server, ledger = sample
    context = browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=script
    )
    visit = Visit(context, server.url)
    page = visit.to(pages(ledger, "SCI", "agent-01")[name], STATUS.get(name, 200))
    assert page.title().endswith("evm-ledger")
    assert page.locator("h1").count() == 1
    assert page.get_by_role("searchbox").count() == 1
    box = page.locator("body").bounding_box()
    main = page.locator("main").bounding_box()
    assert box is not None
    assert main is not None
    assert main["x"] + main["width"] <= width
    if script:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit.went_well()
    context.close()


def test_home_says_what_there_is(visit: Visit, sample: tuple[ApiServer, Ledger]) -> None:
    ledger = sample[1]
    asset = ledger.asset("SCI")
    text = visit.to("/?asset=SCI").inner_text("main")
    supply = ledger.supply("SCI")
    for shown in (asset.format(supply.total), str(supply.holders), str(ledger.head("SCI").seq)):
        assert shown in text
    assert "Chain 31337: replayed up to entry" in text
    assert visit.page.locator("svg.chart").count() == 2
    assert visit.page.locator("svg.chart .bar").count() > 10


def test_a_statement_shows_the_running_balance(
    visit: Visit, sample: tuple[ApiServer, Ledger]
) -> None:
    """Page by page the whole statement, newest first, each line with the balance after it."""
    ledger = sample[1]
    asset = ledger.asset("SCI")
    shown: list[tuple[str, str]] = []
    page = visit.to("/account/agent-01?asset=SCI")
    assert str(ledger.account("agent-01").address) in page.inner_text("main")
    assert page.locator("svg.qr").count() == 1
    while True:
        for row in page.locator("section:has(h2:text('Statement')) tbody tr").all():
            cells = row.locator("td").all_inner_texts()
            shown.append((cells[0], cells[5]))
        following = page.get_by_role("link", name="Next page")
        if following.count() == 0:
            break
        with page.expect_navigation():
            following.click()
    expected = [
        (
            str(entry.seq),
            asset.format(
                entry.balance_after_from
                if entry.from_account == "agent-01"
                else entry.balance_after_to
            ),
        )
        for entry in reversed(ledger.get_statement("agent-01", asset="SCI"))
    ]
    assert len(expected) > 25
    assert shown == expected


@pytest.mark.parametrize("path", ["/entries?asset=SCI", "/accounts"])
def test_lists_are_whole(visit: Visit, sample: tuple[ApiServer, Ledger], path: str) -> None:
    ledger = sample[1]
    page = visit.to(path)
    shown: list[str] = []
    while True:
        shown += [row.locator("td").first.inner_text() for row in page.locator("tbody tr").all()]
        following = page.get_by_role("link", name="Next page")
        if following.count() == 0:
            break
        with page.expect_navigation():
            following.click()
    if path == "/accounts":
        assert shown == [account.account_id for account in ledger.accounts()]
    else:
        assert shown == [str(seq) for seq in range(ledger.head("SCI").seq, 0, -1)]


def test_the_browser_recomputes_every_kind_of_id(
    visit: Visit,
    sample: tuple[ApiServer, Ledger],
    hostile: tuple[ApiServer, Ledger],
    browser: Browser,
) -> None:
    """With its own keccak, of plain, grouped, reversed and hostile entries."""
    ledger = sample[1]
    entries = [*[*ledger.entries("SCI")][-6:], *ledger.entries("GLD")]
    for entry in entries:
        page = visit.to(f"/entry/{entry.id}")
        page.get_by_role("button", name="Recompute").click()
        assert page.locator("#recomputed").inner_text() == (
            f"Your browser computes the same id: {entry.id}"
        )
    context = browser.new_context()
    other = Visit(context, hostile[0].url)
    for asset in hostile[1].assets():
        for entry in hostile[1].entries(asset.symbol):
            page = other.to(f"/entry/{entry.id}")
            page.get_by_role("button", name="Recompute").click()
            assert str(entry.id) in page.locator("#recomputed.good").inner_text()
    other.went_well()
    context.close()
    page = visit.to(f"/entry/{entries[0].id}")
    page.locator("#encoding tr:has(td:text-is('amount')) [data-value]").evaluate(
        "cell => { cell.textContent = '7' }"
    )
    page.get_by_role("button", name="Recompute").click()
    assert "NOT THE SAME" in page.locator("#recomputed.bad").inner_text()


def test_where_an_entry_is(visit: Visit, sample: tuple[ApiServer, Ledger]) -> None:
    ledger = sample[1]
    batches = [batch for sealed in ledger.seals() for batch in sealed.batches]
    for seq, state, words in (
        (batches[0].batch.first_seq, "final", "0x" + "60" * 32),
        (batches[1].batch.first_seq, "replayed", "0x" + "61" * 32),
        (ledger.head("SCI").seq, "off-chain", "Not sealed yet"),
    ):
        [entry] = ledger.entries("SCI", seq, seq)
        page = visit.to(f"/entry/{entry.id}")
        assert page.locator("dd .chip").first.inner_text() == state
        assert words in page.inner_text("main")
        if state != "off-chain":
            with page.expect_download() as download:
                page.get_by_role("link", name="Download its inclusion proof").click()
            assert download.value.suggested_filename == f"entry-{seq}.json"


def test_search(visit: Visit, sample: tuple[ApiServer, Ledger]) -> None:
    """From the keyboard alone: an account, an address, an id, a reference, a beginning, nothing."""
    ledger = sample[1]
    entry = next(ledger.entries("SCI", 100, 100))
    account = ledger.account("agent-07")
    for wanted, title in (
        ("agent-07", "agent-07"),
        (str(account.address), "agent-07"),
        (str(account.address).lower(), "agent-07"),
        (str(entry.id), "SCI entry 100"),
        ("0x" + entry.id.hex().upper(), "SCI entry 100"),
        (str(next(ledger.holds(asset="SCI")).id), "SCI holds"),
        ("post/7", "Search"),
        ("agent-0", "Search"),
        ("nothing of that name", "Search"),
    ):
        page = visit.to("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        while page.evaluate("document.activeElement.name") != "q":
            page.keyboard.press("Tab")
        page.keyboard.type(wanted)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.title() == f"{title} · evm-ledger"
        if wanted == "post/7":
            assert page.locator("main li").count() == 9
        if wanted == "agent-0":
            assert page.locator("main li").count() == 10
        if wanted.startswith("nothing"):
            assert "Nothing found" in page.inner_text("main")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_inert(
    browser: Browser, hostile: tuple[ApiServer, Ledger], text: str
) -> None:
    """Every page that shows one shows it as it is, and nothing runs."""
    server, ledger = hostile
    context = browser.new_context()
    visit = Visit(context, server.url)
    found = pages(ledger, text[:64], text)
    found["entry"] = f"/entry/{ledger.get_statement(text, asset=text[:64])[-1].id}"
    found["search"] = f"/search?q={quote(text, safe='')}"
    found["prefix"] = f"/accounts?prefix={quote(text, safe='')}"
    shows = {"home", "entries", "entry", "accounts", "account", "holds"}
    for name, path in found.items():
        page = visit.to(path, STATUS.get(name, 200))
        assert page.title().endswith("evm-ledger"), name
        assert page.locator("main script, main img, svg[onload]").count() == 0
        if name in shows:
            assert " ".join(text.split()) in " ".join(page.inner_text("main").split()), name
    visit.went_well()
    context.close()


def test_pages_need_open_reads(sample: tuple[ApiServer, Ledger]) -> None:
    closed = ApiServer(sample[1], Settings(rate=1e6, burst=1_000_000))
    try:
        for path in pages(sample[1], "SCI", "agent-01").values():
            answer = closed.client().get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, "KEY_MISSING")
        assert closed.client().get("/static/style.css").status_code == 200
        assert closed.client().get("/static/nothing.css").status_code == 404
    finally:
        closed.stop()
