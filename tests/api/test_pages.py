"""What pages are made of, without a browser: words, links, charts, figures, colours, lists."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from bridge.api import Settings, charts
from bridge.api.drawing import HERE
from bridge.api.links import PAGE, account_url, newest_first, oldest_first, url
from bridge.api.onchain import reached, replays, states
from bridge.api.overview import Overviews
from bridge.api.wording import ago, grouped, named, percent, short
from ledger import Ledger
from tests.api.sample import ODD_IDS, sample_ledger
from tests.api.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.postgres import PostgresServer

SECOND = 1_000_000


def test_amounts_are_grouped_and_stay_exact() -> None:
    for amount, shown in (
        ("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.5", "-1,234,567.5"),
        ("0.000000000000000001", "0.000000000000000001"), (str(2**256), f"{2**256:,}"), (7, "7"),
    ):  # fmt: skip
        assert grouped(amount) == shown
    assert percent("0.03196") == "3.196%"
    assert percent("1.00000") == "100.000%"
    for name, shown in (("agent", "agent"), (" a", " a"), (" ", "“ ”"), ("\u200b", "“\u200b”")):
        assert named(name) == shown
    assert short("0x" + "ab" * 32) == "0xabababab…ababab"


def test_how_long_ago() -> None:
    for seconds, shown in (
        (-1, ""), (0, "just now"), (1, "1 second ago"), (59, "59 seconds ago"),
        (60, "1 minute ago"), (3_599, "59 minutes ago"), (7_200, "2 hours ago"),
        (86_400, "1 day ago"), (364 * 86_400, "364 days ago"), (800 * 86_400, "2 years ago"),
    ):  # fmt: skip
        assert ago(10**15, 10**15 + seconds * SECOND) == shown


def test_a_link_to_an_account_survives_every_path() -> None:
    """It names the id in a path only where nothing between may change it."""
    for account_id in (*ODD_IDS, "agent-01", "a.b", "0x" + "ab" * 20, ".hidden"):
        to = urlsplit(account_url(account_id, asset="A&B"))
        asked = parse_qs(to.query, keep_blank_values=True, strict_parsing=True)
        assert asked["asset"] == ["A&B"]
        if "id" in asked:
            assert (to.path, asked["id"]) == ("/account", [account_id])
        else:
            assert to.path == f"/account/{account_id}"
            assert not {".", ".."} & set(to.path.split("/"))
    assert url("/x", a=None) == "/x"


def test_numbered_lists_tile() -> None:
    """From either end, with any length, every number is on exactly one page."""
    for size in (0, 1, PAGE - 1, PAGE, PAGE + 1, 4 * PAGE, 4 * PAGE + 3):
        span = newest_first("/x", size, None)
        shown = [*range(span.last, span.first - 1, -1)]
        assert span.pager.previous is None
        while span.pager.following:
            span = newest_first("/x", size, at_of(span.pager.following))
            shown += range(span.last, span.first - 1, -1)
            assert span.pager.first == "/x"
        assert shown == [*range(size, 0, -1)]
        if not size:
            continue
        up = oldest_first("/x", 101, 100 + size, None)
        shown = [*range(up.first, up.last + 1)]
        while up.pager.following:
            up = oldest_first("/x", 101, 100 + size, at_of(up.pager.following))
            shown += range(up.first, up.last + 1)
        assert shown == [*range(101, 101 + size)]
    assert newest_first("/x", 60, 999).last == 60
    assert oldest_first("/x", 101, 160, 5).first == 101


def at_of(link: str) -> int:
    """Return where a linked page begins."""
    return int(parse_qs(urlsplit(link).query)["at"][0])


def test_charts_show_hostile_labels_as_text() -> None:
    evil = "</title></svg><script>alert(1)</script>\"'&"
    ends = charts.Ends(evil, evil, evil, evil)
    for drawn in (
        charts.bars([charts.Bar(1, evil), charts.Bar(2**256, evil)], ends),
        charts.steps([charts.Point(1, 5), charts.Point(9, 2**256)], ends),
        charts.shares([charts.Part("final", 3), charts.Part("sealed", 1)], evil),
        charts.bars([], ends),
        charts.steps([], ends),
        charts.steps([charts.Point(1, 0)], ends),
    ):
        assert "<script" not in drawn
        assert "nan" not in drawn
        assert evil in unescape(drawn)


def test_a_balance_is_drawn_along_time() -> None:
    """As wide as it lasted, as high as it was."""
    points = [charts.Point(0, 10), charts.Point(750, 5), charts.Point(1_000, 0)]
    drawn = charts.steps(points, charts.Ends("", "", "", ""))
    assert 'class="line" points="0,4 480,4 480,82 640,82 640,160"' in drawn


def test_figures_are_kept_as_long_as_they_are_worth(ledger: Ledger) -> None:
    """For a multiple of what counting took: for ever here, then not at all."""
    asset = ledger.asset("SCI")
    for_ever, never = Overviews(ledger, worth=1e12), Overviews(ledger, worth=0)
    first = for_ever.of(asset)
    assert (first.supply.holders, never.of(asset).supply.holders) == (3, 3)
    ledger.create_account("dave")
    assert for_ever.of(asset) is first
    assert never.of(asset).supply.holders == 4


def test_states_of_entries(sqlite_url: str) -> None:
    """Page by page they are what all replays together say."""
    with sample_ledger(sqlite_url) as ledger:
        asset = ledger.asset("SCI")
        assert states(ledger, asset, [1, 140, 141, 240, 241, 340, 341]) == {
            1: "final", 140: "final", 141: "replayed", 240: "replayed",
            241: "sealed, off-chain", 340: "sealed, off-chain", 341: "off-chain",
        }  # fmt: skip
        assert states(ledger, asset, []) == {}
        assert [it.first_seq for it in replays(ledger, asset, 140, 141)] == [1, 141]
        [(chain, it)] = reached(ledger, asset).items()
        assert (chain, it.last_seq, it.state, it.final_seq) == ("31337", 240, "mined", 140)
        assert reached(ledger, ledger.asset("GLD")) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(scheme: str) -> None:
    """Text has a contrast of 4.5 on whatever it stands, edges of controls 3 (WCAG 2.2, 1.4)."""
    style = (HERE / "static" / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(blocks) == 2
    names = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[["light", "dark"].index(scheme)]))
    for text in ("ink", "soft", "link", "good", "bad"):
        for back in ("back", "card"):
            assert contrast(names[text], names[back]) >= 4.5, (text, back)
    for text in ("final", "replayed", "sealed", "off-chain", "ink"):
        assert contrast(names[text], names["chip"]) >= 4.5, text
    assert contrast(names["edge"], names["card"]) >= 3
    assert contrast(names["bar"], names["card"]) >= 3


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG computes it."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Return how light `#rgb` or `#rrggbb` is, 0 .. 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * it for it in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Serve a ledger with more accounts, holds, seals and assets than a page shows."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('crowded') / 'ledger.db'}"
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        url = postgres.url(postgres.create_database())
    with Ledger.create(url) as ledger:
        for number in range(2 * PAGE + 2):
            ledger.create_asset(f"A{number:03}", f"Asset {number}", 0)
        for number in range(2 * PAGE + 2):
            ledger.create_account(f"b{number:03}", 100, asset="A000")
            ledger.hold(f"b{number % 2:03}", 1, asset="A000")
            if number % 2:
                ledger.transfer("b000", "b001", 1, asset="A000", reference_id="topic")
            ledger.seal()
        ledger.create_account("c", 0)
        server = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
        yield server.client()
        server.stop()


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/accounts", 2 * PAGE + 4),  # those, c, and the issuer
        ("/accounts?prefix=b", 2 * PAGE + 2),
        ("/accounts?prefix=b0&asset=A001", 2 * PAGE + 2),
        ("/holds?asset=A000", 2 * PAGE + 2),
        ("/holds?asset=A000&account=b001", PAGE + 1),
        ("/holds?asset=A001", 0),
        ("/seals", 2 * PAGE + 2),
        ("/assets", 2 * PAGE + 2),
        ("/account/b001?asset=A000", PAGE + 2),
        ("/account/system?asset=A000", 2 * PAGE + 2),
        ("/entries?asset=A000", 3 * PAGE + 3),
        ("/entries?asset=A001", 0),
    ],
)
def test_long_lists(crowded: httpx.Client, path: str, count: int) -> None:
    """There and back; the first and the last page are a click away."""
    there = [page := crowded.get(path).text]
    first = page
    while link := relation(page, "next"):
        assert relation(page, "last")
        there.append(page := crowded.get(link).text)
    rows = [row for page in there for row in rows_of(page)]
    assert (len(rows), len(set(rows))) == (count, count)
    if len(there) > 1:
        assert rows_of(crowded.get(relation(first, "last")).text)[-1] == rows[-1]
        assert rows_of(crowded.get(relation(page, "first")).text) == rows_of(first)
    back = [page]
    while link := relation(page, "prev"):
        back.append(page := crowded.get(link).text)
    assert [rows_of(page) for page in back[::-1]] == [rows_of(page) for page in there]


def rows_of(page: str) -> list[str]:
    """Return what the rows of the last table of a page link to first."""
    body = page.rpartition("<tbody>")[2].partition("</tbody>")[0]
    found = re.findall(r'<tr><td[^>]*><a[^>]*href="([^"]+)"', body)
    return [unquote(unescape(it)) for it in found]


def relation(page: str, rel: str) -> str:
    """Return where a page's pager leads; "" if nowhere."""
    pager = page.rpartition('class="pager"')[2].partition("</nav>")[0]
    found = re.search(rf'rel="{rel}" href="([^"]+)"', pager)
    return unescape(found[1]) if found else ""


def test_search_on_a_crowded_ledger(crowded: httpx.Client) -> None:
    """What many things are called is a list, in order; NUL and the like are no names."""
    found = crowded.get("/search?q=topic").text
    names = re.findall(r"<li>.*?>A000 entry (\d+),  ?topic<", found)
    assert len(names) == PAGE + 1
    assert names == sorted(names, key=int)
    assert crowded.get("/search?q=seal%2051").headers["location"] == "/seal/51"
    assert crowded.get("/search?q=A000%20batch").status_code == 200
    assert "Nothing found" in crowded.get("/search?q=%00").text
    assert "Nothing found" in crowded.get("/search?q=a%2F%00").text
    batch = crowded.get("/v1/batches?asset=A000&limit=1").json()["batches"][0]
    for name in ("id", "new_head", "tree_root", "payload_hash"):
        answer = crowded.get(f"/search?q={batch[name]}")
        assert answer.headers["location"] == "/batch/1?asset=A000"


def test_odd_requests_are_answered(crowded: httpx.Client) -> None:
    """With a page, that says what is wrong if something is."""
    browser = {"Accept": "text/html,*/*;q=0.8"}
    for path, status in (
        ("/batch/1", 200), ("/batch/0", 404), ("/batch/-1", 404), ("/batch/1" + "0" * 30, 404),
        ("/batch/x", 422), ("/batch/1?at=0", 422), ("/batch/1?at=999", 200), ("/seal/0", 404),
        ("/seal/1" + "0" * 30, 404), ("/entry/0x12", 422), ("/hold/x", 422), ("/assets?at=99", 200),
        (f"/entries?at={2**62 - 1}", 200), (f"/entries?at={2**62}", 422), ("/account", 422),
        ("/account?id=", 422), ("/account/", 422), ("/account/nobody", 404), ("/seals?at=1", 200),
        ("/accounts?after=%00", 422), ("/accounts?prefix=%00", 422), ("/accounts?after=zzz", 200),
        ("/accounts?prefix=%F4%8F%BF%BF", 200), ("/holds?account=nobody", 404), ("/?asset=", 200),
        ("/holds?asset=nope", 404), ("/holds?at=1", 200), ("/account/b001?at=1", 200),
        ("/search", 200), ("/search?q=" + "9" * 500, 200), ("/search?q=" + "/" * 500, 200),
        ("/search?q=" + "x" * 513, 422), ("/favicon.ico", 404),
    ):  # fmt: skip
        answer = crowded.get(path, headers=browser)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("/v1/nothing", "/api/nothing", "/static/nothing"):
        answer = crowded.get(path, headers=browser)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_ledger_without_anything_has_pages(sqlite_url: str) -> None:
    """And says how to begin; so has one with an asset in which nothing happened."""
    with Ledger.create(sqlite_url) as ledger:
        server = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
        try:
            client = server.client()
            lists = ("/", "/entries", "/accounts", "/assets", "/seals", "/holds")
            for path in lists:
                assert client.get(path).status_code == 200
            assert "evm-ledger asset create SCI" in client.get("/").text
            ledger.create_asset("SCI", "Science", 18)
            for path in lists:
                page = client.get(path)
                assert page.status_code == 200
                if path != "/assets":
                    assert re.search("No |Nobody|Nothing|system", page.text), path
        finally:
            server.stop()


def test_a_page_offers_few_of_many_assets(crowded: httpx.Client) -> None:
    """And always the one that it is about."""
    choice = crowded.get("/?asset=A040").text.partition('class="choice"')[2].partition("</p>")[0]
    assert "<strong>A040</strong>" in choice
    assert choice.count("<a ") == 8  # seven others, and all
    assert '<a href="/assets">all assets</a>' in choice


def test_downloads_are_no_pages(crowded: httpx.Client) -> None:
    """What a page links to is of its own type, and a browser may not guess another."""
    seen = set()
    entries = rows_of(crowded.get("/entries?asset=A000").text)
    page = crowded.get(entries[0]).text
    for link in set(re.findall(r'(?:href|src)="(/(?:v1|static|openapi)[^"]*)"', page)):
        answer = crowded.get(link)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        seen.add(answer.headers["content-type"].partition(";")[0])
    assert seen == {"application/json", "text/css", "text/javascript", "image/svg+xml"}
