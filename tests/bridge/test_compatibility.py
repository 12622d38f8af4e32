"""The report says what becomes of every field there is, and names what of a ledger does not fit."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

import pytest

from bridge.compatibility import ledger_chain_compatibility_report
from bridge.families import FIELDS, Family, Fate, family_of
from bridge.imports import import_ledger
from bridge.keys import PUBLIC_ADDRESSES
from ledger import Account, Asset, Balance, Entry, Ledger
from ledger.model import Address
from tests.bridge.histories import small_ledger
from tests.ledger.support import unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.progress import Progress


COLD: Final = Address(b"\xc0" * 20)
# What a row has besides what it is about: whose it is, its place in this database, and what a call
# says of itself.
NOT_FIELDS: Final = {
    "asset": {"number"},
    "account": {"derived"},
    "balance": {"asset", "account_id", "address"},
    "entry": {"repeated"},
}


@pytest.mark.parametrize(
    ("subject", "kind"),
    [("asset", Asset), ("account", Account), ("balance", Balance), ("entry", Entry)],
)
def test_every_field_of_a_row_is_in_it(subject: str, kind: type) -> None:
    found = [row.field for row in FIELDS if row.subject == subject and row.field != "transaction"]
    expected = {it.name for it in dataclasses.fields(kind)} - NOT_FIELDS[subject]
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: str(row.name))
def test_nothing_is_lost_where_a_ledger_can_go(row: object) -> None:
    [mapped] = [it for it in FIELDS if it is row]
    for family in Family:
        fate, why = mapped.on(family)
        assert why
        assert family.is_supported <= (fate not in {Fate.LOST, Fate.POSSIBLE})
        assert (mapped.fate == Fate.STAYS) <= (fate == Fate.STAYS)


def test_each_family_that_is_not_supported_loses_something() -> None:
    for family in Family:
        lost = [row.name for row in FIELDS if row.on(family)[0] == Fate.LOST]
        assert bool(lost) != family.is_supported
        assert ("account.address" in lost) != family.is_supported


def test_families_of_chains() -> None:
    assert {family_of(chain) for chain in (1, 10, 42_161, 31_337)} == {Family.ETHEREUM}
    assert {family_of(chain) for chain in (324, 300)} == {Family.ZKSYNC}


# --- of a ledger ---


STOPS: Final = True
NOTE: Final = False


def facts(ledger: Ledger) -> dict[bool, list[str]]:
    """Return what the report says of `ledger`, by whether it stops anything."""
    found: dict[bool, list[str]] = {STOPS: [], NOTE: []}
    for fact in ledger_chain_compatibility_report(ledger).facts:
        found[fact.stops].append(f"{fact.about}: {fact.text}")
    return found


def test_a_ledger_that_is_ready(database_url: str) -> None:
    with Ledger.create(database_url, registrar=COLD) as ledger:
        ledger.create_asset("PTS", "Points", operator=COLD)
        ledger.create_account("alice", 5)
        ledger.create_account("0x" + "ab" * 20, 0)
        ledger.seal()
        with unchanged(database_url):
            found = facts(ledger)
        assert found[STOPS] == []
        token, *notes = found[NOTE][1:]
        assert found[NOTE][0].startswith("accounts: 1 with a derived address (claimed")
        assert token.startswith("PTS: its token will be at 0x")
        assert notes == [
            "PTS: 1 entry; the largest number, 5, fits 256 bits, as all do",
            (
                "PTS: 1 with texts, which are in no topic: keep the export, the chain has their "
                "hashes only"
            ),
        ]


def test_what_stops_a_migration(database_url: str) -> None:
    with Ledger.create(database_url) as ledger:
        ledger.create_asset("PTS", "Points", 0, operator=PUBLIC_ADDRESSES[0])
        for name in ("alice", "bob"):
            ledger.create_account(name, 5)
        ledger.hold("alice", 1, "bob")
        ledger.freeze_account("bob")
        stops = facts(ledger)[STOPS]
    assert [line.split(":")[0] for line in stops] == ["accounts"] * 2 + ["PTS"] * 3
    own, frozen, operator, unsealed, holds = stops
    assert "the registrar of 2 is the ledger's own key" in own
    assert "1 frozen: finalize" in frozen
    assert f"everybody has the key of its operator, {PUBLIC_ADDRESSES[0]}" in operator
    assert unsealed == "PTS: not sealed yet, so not replayed: 2 (evm-ledger seal)"
    assert "1 hold pending: finalize" in holds


def test_a_public_registrar_stops_it(sqlite_url: str) -> None:
    with Ledger.create(sqlite_url, registrar=PUBLIC_ADDRESSES[3]) as ledger:
        ledger.create_asset("PTS", "Points")
        ledger.create_account("alice", 0)
        assert facts(ledger)[STOPS] == ["accounts: everybody has the key of the registrar of 1"]


def test_an_account_that_is_the_token_itself(sqlite_url: str) -> None:
    with Ledger.create(sqlite_url, registrar=COLD) as ledger:
        ledger.create_asset("PTS", "Points", operator=COLD)
        [line] = [line for line in facts(ledger)[NOTE] if "will be at" in line]
        token = line.split()[6].lower()
        ledger.create_account(token, 1)
        ledger.seal()
        assert facts(ledger)[STOPS] == [f"PTS: account {token} is the token itself and holds some"]


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        (2**53 - 1, "fits 256 bits, as all do"),
        (2**53, "fits 256 bits, as all do; programs that read JSON numbers as doubles round it"),
        (2**64 - 1, "fits 256 bits, as all do; programs"),
        (2**64, "fits 256 bits, as all do, not the 64 of Solana; programs"),
        (2**256 - 1, "fits 256 bits, as all do, not the 64 of Solana; programs"),
    ],
)
def test_how_large_the_numbers_are(sqlite_url: str, amount: int, says: str) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("PTS", "Points", 0)
        ledger.create_account("alice", amount)
        [line] = [it for it in facts(ledger)[NOTE] if "largest number" in it]
        assert line.startswith(f"PTS: 1 entry; the largest number, {amount}, {says}")


@pytest.mark.parametrize(
    ("symbol", "decimals", "says"),
    [
        ("ELEVENCHARS", 18, []),
        ("TWELVE_CHARS", 18, ["EIP-747"]),
        ("P\u00dcNKTE", 18, ["EIP-747"]),
        ("PTS", 19, ["19 decimals"]),
    ],
)
def test_what_wallets_do_not_expect(
    sqlite_url: str, symbol: str, decimals: int, says: list[str]
) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset(symbol, "Points", decimals)
        notes = " ".join(facts(ledger)[NOTE])
    for word in ("EIP-747", "19 decimals"):
        assert (word in notes) == (word in says)


def test_limits_are_the_ledgers(sqlite_url: str) -> None:
    with small_ledger(sqlite_url) as ledger:
        ledger.set_limits("alice", asset="SCI", max_debit=5, max_balance=None)
        assert "SCI: 1 account with limits, which no token knows" in facts(ledger)[NOTE]


def test_a_ledger_without_its_pepper(exported: Path, sqlite_url: str) -> None:
    with import_ledger(exported, sqlite_url) as ledger:
        found = facts(ledger)
    assert any("imported without the pepper" in line for line in found[NOTE])


def test_every_entry_is_counted_once(book: Ledger) -> None:
    seen: list[Progress] = []
    ledger_chain_compatibility_report(book, progress=seen.append)
    total = sum(book.head(asset.symbol).seq for asset in book.assets())
    assert [step.done for step in seen] == list(range(1, total + 1))
    assert {step.total for step in seen} == {total}


def test_text_and_json_say_the_same(book: Ledger) -> None:
    report = ledger_chain_compatibility_report(book)
    text, found = str(report), json.loads(json.dumps(report.to_json()))
    assert [row["field"] for row in found["fields"]] == [row.field for row in report.fields]
    for row in found["fields"]:
        assert set(row["on"]) == set(found["families"]) == set(Family)
        assert f"{row['subject']}.{row['field']}" in text
    for fact in found["ledger"]:
        mark = "stops" if fact["stops"] else "note "
        assert f"  {mark}  {fact['about']}: {fact['text']}" in text
    assert len(report.stops) == sum(fact["stops"] for fact in found["ledger"])
