"""The explorer in a real browser: every page, with and without script, with hostile texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import sync_playwright

from bridge.api import Settings
from bridge.api.wording import named
from tests.api.browsing import NAMES, STATUS, Visit, pages
from tests.api.sample import EVIL, HOSTILE, ODD_IDS, hostile_ledger, sample_ledger
from tests.api.server import ApiServer
from tests.cli.shell import Shell
from tests.support.chromium import launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from ledger import Ledger

OPEN = Settings(open_reads=True, rate=1e6, burst=1_000_000)
DESKTOP, PHONE = 1280, 390


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


@pytest.fixture
def visit(browser: Browser, sample: tuple[ApiServer, Ledger]) -> Iterator[Visit]:
    """Visit the sample on a desktop."""
    context = browser.new_context(viewport={"width": DESKTOP, "height": 900})
    made = Visit(context, sample[0].url)
    yield made
    made.went_well()
    context.close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_page(
    browser: Browser, sample: tuple[ApiServer, Ledger], width: int, *, script: bool
) -> None:
    """Each has a title, one heading, the search box, and fits the screen."""
    server, ledger = sample
    context = browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=script
    )
    visit = Visit(context, server.url)
    found = pages(ledger, "SCI", "agent-01")
    assert tuple(found) == NAMES
    for name, path in found.items():
        page = visit.to(path, STATUS.get(name, 200))
        assert page.title().endswith(" · evm-ledger")
        assert page.locator("h1").count() == 1
        assert page.get_by_role("searchbox").count() == 1
        assert page.locator("[style], style, script:not([src])").count() == 0
        assert page.locator("button.copy:visible").count() == (
            page.locator("button.copy").count() if script else 0
        )
        main = page.locator("main").bounding_box()
        assert main is not None
        assert main["x"] + main["width"] <= width
        if script:
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            inner = (
                "[...document.querySelectorAll('main *')].filter(it => it.scrollWidth > innerWidth)"
            )
            assert page.evaluate(f"{inner}.length") == 0, name
    visit.went_well()
    context.close()


def test_home_says_what_there_is(visit: Visit, sample: tuple[ApiServer, Ledger]) -> None:
    ledger = sample[1]
    text = visit.to("/?asset=SCI").inner_text("main")
    supply = ledger.supply("SCI")
    assert ledger.asset("SCI").format(supply.total) == "40000"
    for shown in ("40,000", str(supply.holders), str(ledger.head("SCI").seq)):
        assert shown in text
    assert visit.page.locator("figure.chart").count() == 2
    assert visit.page.locator("figure.chart .bar").count() > 30
    standing = visit.page.locator(".standing")
    assert standing.get_by_role("heading").inner_text() == "Chain 31337"
    assert standing.locator("li").all_inner_texts() == [
        "final 1 to 140", "replayed 141 to 240", "sealed, off-chain 241 to 340",
        f"off-chain 341 to {ledger.head('SCI').seq}",
    ]  # fmt: skip


def rows(page: Page, column: int = 0) -> list[str]:
    """Return a column of the last table of a page."""
    cells = page.locator("main table").last.locator(f"tbody td:nth-child({column + 1})")
    return cells.all_inner_texts()


def follow(page: Page, name: str) -> bool:
    """Click a link of the pager, if it is there."""
    link = page.locator("nav.pager").get_by_role("link", name=name, exact=True)
    if link.count() == 0:
        return False
    with page.expect_navigation():
        link.click()
    return True


def test_a_statement_shows_the_running_balance(
    visit: Visit, sample: tuple[ApiServer, Ledger]
) -> None:
    """Page by page the whole statement, newest first, each line with the balance after it."""
    ledger = sample[1]
    asset = ledger.asset("SCI")
    shown: list[tuple[str, str]] = []
    page = visit.to("/account/agent-01?asset=SCI")
    assert str(ledger.account("agent-01").address) in page.inner_text("main")
    assert page.locator("svg.qr title").text_content() == str(ledger.account("agent-01").address)
    assert page.locator("figure.chart .line").count() == 1
    while True:
        shown += zip(rows(page), rows(page, 5), strict=True)
        if not follow(page, "Next"):
            break
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
    assert [(seq, balance.replace(",", "")) for seq, balance in shown] == expected
    assert follow(page, "First")
    assert rows(page) == [seq for seq, _ in expected[:25]]
    assert follow(page, "Last")
    assert rows(page)[-1] == expected[-1][0]


@pytest.mark.parametrize("path", ["/accounts", "/batch/1?asset=SCI"])
def test_lists_are_whole(visit: Visit, sample: tuple[ApiServer, Ledger], path: str) -> None:
    """To the end and back again, each page the same from both sides."""
    ledger = sample[1]
    page = visit.to(path)
    there: list[list[str]] = [rows(page)]
    while follow(page, "Next"):
        there.append(rows(page))
    back: list[list[str]] = [rows(page)]
    while follow(page, "Previous"):
        back.append(rows(page))
    assert back[::-1] == there
    expected = {
        "/accounts": [account.account_id for account in ledger.accounts()],
        "/batch/1?asset=SCI": [str(seq) for seq in range(1, 141)],
    }[path]
    assert [name for shown in there for name in shown] == expected


def test_the_browser_recomputes_every_kind_of_id(
    visit: Visit,
    sample: tuple[ApiServer, Ledger],
    hostile: tuple[ApiServer, Ledger],
    browser: Browser,
) -> None:
    """With its own keccak, of plain, grouped, reversed and hostile entries."""
    ledger = sample[1]
    entries = [*[*ledger.entries("SCI")][-5:], *ledger.entries("GLD")]
    for entry in entries:
        page = visit.to(f"/entry/{entry.id}")
        page.get_by_role("button", name="Recompute").click()
        assert page.locator("#recomputed").inner_text() == (
            f"Your browser computes the same id: {entry.id}"
        )
    context = browser.new_context()
    other = Visit(context, hostile[0].url)
    for asset in hostile[1].assets():
        for entry in [*hostile[1].entries(asset.symbol)][-1:]:
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
    """The same on its page and in a list; a proof to download as soon as it is sealed."""
    ledger = sample[1]
    for seq, state, words in (
        (140, "final", "0x" + "60" * 32),
        (141, "replayed", "0x" + "61" * 32),
        (241, "sealed, off-chain", "No chain has it yet"),
        (ledger.head("SCI").seq, "off-chain", "Not sealed yet"),
    ):
        [entry] = ledger.entries("SCI", seq, seq)
        page = visit.to(f"/entries?asset=SCI&at={seq}")
        assert rows(page)[0] == str(seq)
        assert rows(page, 7)[0] == state
        page = visit.to(f"/entry/{entry.id}")
        assert page.locator("dd .chip").first.inner_text() == state
        assert words in page.inner_text("main")
        if state != "off-chain":
            with page.expect_download() as download:
                page.get_by_role("link", name="Download its inclusion proof").click()
            assert download.value.suggested_filename == f"entry-{seq}.json"
            said = Shell("").run("check", download.value.path())
            assert str(entry.id) in said


def test_search(visit: Visit, sample: tuple[ApiServer, Ledger]) -> None:
    """An account, an address, an id, a hash, a number, a reference, a beginning, nothing."""
    ledger = sample[1]
    entry = next(ledger.entries("SCI", 100, 100))
    account = ledger.account("agent-07")
    first = ledger.batches("SCI")[0]
    sealed = next(ledger.seals(2))
    page = visit.to("/")
    for wanted, title, count in (
        ("agent-07", "agent-07", 0),
        (" agent-07 ", "agent-07", 0),
        (str(account.address), "agent-07", 0),
        (str(account.address).lower(), "agent-07", 0),
        (str(entry.id), "SCI entry 100", 0),
        ("0x" + entry.id.hex().upper(), "SCI entry 100", 0),
        (str(next(ledger.holds(asset="SCI")).id), "SCI hold 1", 0),
        (str(first.id), "SCI batch 1", 0),
        (str(first.batch.new_head), "SCI batch 1", 0),
        (str(first.batch.tree_root), "SCI batch 1", 0),
        (str(first.batch.payload_hash), "SCI batch 1", 0),
        (str(sealed.id), "Seal 2", 0),
        ("0x" + "61" * 32, "SCI batch 2", 0),
        ("0xBf5C646Ac0ac6558C0b59C274651b9DE5808cF2A", "Science token (SCI)", 0),
        ("batch 2", "SCI batch 2", 0),
        ("SCI/383", "SCI entry 383", 0),
        ("3", "Search", 3),  # an entry, a batch, a seal
        ("post/7", "Search", 9),
        ("agent-0", "Search", 10),
        ("nothing of that name", "Search", 0),
    ):
        box = page.get_by_role("searchbox")
        box.fill(wanted)
        with page.expect_navigation():
            box.press("Enter")
        assert page.title() == f"{title} · evm-ledger", wanted
        assert page.locator("main ul.found li").count() == count, wanted
    assert "Nothing found" in page.inner_text("main")


def test_the_keyboard_is_enough(visit: Visit) -> None:
    """Tab to the content or the search box, which "/" finds too; where one is can be seen."""
    page = visit.to("/")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    box = skip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    page.locator("#main:focus").wait_for()
    page.keyboard.press("/")
    page.locator("input[name=q]:focus").wait_for()
    page.keyboard.type("a/b")
    assert page.get_by_role("searchbox").input_value() == "a/b"
    page.reload()
    while page.evaluate("document.activeElement.name") != "q":
        page.keyboard.press("Tab")
    page.keyboard.type("agent-07")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.title() == "agent-07 · evm-ledger"


def test_hashes_are_copied(browser: Browser, sample: tuple[ApiServer, Ledger]) -> None:
    """Where the browser lets pages write to the clipboard, and where it does not."""
    server, ledger = sample
    address = str(ledger.account("agent-01").address)
    for permissions in (["clipboard-read", "clipboard-write"], ["clipboard-read"]):
        context = browser.new_context(permissions=permissions)
        visit = Visit(context, server.url)
        page = visit.to("/account/agent-01")
        button = page.locator("button.copy").first
        assert button.get_attribute("data-copy") == address
        button.click()
        page.locator("button.copy", has_text="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == address
        page.get_by_role("searchbox").focus()
        assert button.inner_text() == "Copy"
        visit.went_well()
        context.close()


def hostile_pages(ledger: Ledger, text: str) -> dict[str, str]:
    """Return every page that shows a text, or may say that there is nothing of that name."""
    asset = text[:64]
    asked = quote(text, safe="")
    return {
        **pages(ledger, asset, text),
        "entry": f"/entry/{ledger.get_statement(text, asset=asset)[-1].id}",
        "search": f"/search?q={asked}",
        "reference": f"/search?q={asked}%2F{asked}",
        "beginning": f"/search?q={quote('to ' + text[:4], safe='')}",
        "nothing-found": f"/search?q={asked}%20and%20more",
        "prefix": f"/accounts?prefix={asked}",
        "holds of one": f"/holds?asset={quote(asset, safe='')}&account={asked}",
        "missing": f"/?asset={quote('no' + asset[2:], safe='')}",
        "failed": f"/entries?at={asked}",
        "lost": f"/{asked}",
    }


SHOW: Final = {
    "home", "entries", "entry", "accounts", "account", "assets", "batch", "holds", "hold", "seal",
    "reference", "nothing-found", "prefix", "holds of one",
}  # fmt: skip
"""Pages that show the whole text, the seal's as much as a symbol has of it."""


@pytest.mark.parametrize("text", [*HOSTILE, EVIL])
def test_hostile_texts_are_inert(
    browser: Browser, hostile: tuple[ApiServer, Ledger], text: str
) -> None:
    """Every page that shows one shows it as it is, and nothing runs.

    Each alone where an asset's name and symbol are shown, all in one everywhere.
    """
    server, ledger = hostile
    context = browser.new_context()
    visit = Visit(context, server.url)
    for name, path in hostile_pages(ledger, text).items():
        if text != EVIL and name not in {"home", "account", "assets", "lost"}:
            continue
        page = visit.to(path, STATUS.get(name, 200))
        assert page.title().endswith(" · evm-ledger"), name
        assert page.locator("main script, main img, main svg svg, svg[onload]").count() == 0
        assert page.locator("[onclick], [onload], [onerror], a[href^=javascript]").count() == 0
        if name in SHOW:
            wanted = text[:64] if name == "seal" else text
            assert " ".join(wanted.split()) in " ".join(page.inner_text("main").split()), name
    visit.went_well()
    context.close()


def test_every_account_has_a_page(browser: Browser, hostile: tuple[ApiServer, Ledger]) -> None:
    """Whatever its id: by its link in a list, and by search."""
    server, ledger = hostile
    context = browser.new_context()
    visit = Visit(context, server.url)
    for account_id in ODD_IDS:
        page = visit.to(f"/accounts?prefix={quote(account_id, safe='')}")
        links = page.locator("tbody a")
        position = links.all_text_contents().index(named(account_id))
        with page.expect_navigation():
            links.nth(position).click()
        assert page.locator("h1").text_content() == f"Account {named(account_id)}"
        if account_id in {"..", " ", "a%2Fb"}:
            page = visit.to(f"/search?q={quote(account_id, safe='')}")
            assert page.locator("h1").text_content() == f"Account {named(account_id)}"
        assert ledger.account(account_id).account_id == account_id
    visit.went_well()
    context.close()


def test_a_closed_explorer_says_so(browser: Browser, sample: tuple[ApiServer, Ledger]) -> None:
    """To people as a page that tells nothing of the ledger, to programs as a problem."""
    server, ledger = sample
    closed = ApiServer(ledger, Settings(rate=1e6, burst=1_000_000))
    try:
        for name, path in pages(ledger, "SCI", "agent-01").items():
            answer = closed.client().get(path)
            expected = (404, "NOT_FOUND") if name == "lost" else (401, "KEY_MISSING")
            assert (answer.status_code, answer.json()["code"]) == expected
            assert str(ledger.identity.ledger_id) not in answer.text
        assert closed.client().get("/static/style.css").status_code == 200
        assert closed.client().get("/static/nothing.css").status_code == 404
        context = browser.new_context()
        visit = Visit(context, closed.url)
        page = visit.to("/", 401)
        assert page.locator("h1").inner_text() == "The explorer is closed"
        assert "--open-reads" in page.inner_text("main")
        assert page.locator("nav, form, footer p").count() == 0
        assert str(ledger.identity.ledger_id) not in page.content()
        visit.went_well()
        context.close()
        assert server.client().get("/entry/0x12").headers["content-type"].endswith("problem+json")
    finally:
        closed.stop()
