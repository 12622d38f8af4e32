"""An export is believed in nothing: what does not recompute is refused and leaves no trace."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from ledger import (
    ISSUER,
    MAX_AMOUNT,
    Account,
    Address,
    Asset,
    DatabaseFileError,
    Entry,
    Group,
    Hash32,
    Kind,
    Ledger,
    Movement,
    RefusedError,
    Restore,
    RestoreError,
    Rule,
    Sealed,
)
from ledger.carrying import PENDING_THEN
from ledger.checks import recomputed
from ledger.encoding import ledger_domain
from ledger.model import ZERO_ADDRESS, ZERO_HASH, HoldState, Status
from ledger.results import Carried, Limits
from ledger.times import moment_of
from tests.ledger.support import PEPPER, START, Anything, Clock, attacker, create, dump, raw

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def original(tmp_path: Path) -> Contents:
    """Return everything of a ledger with two assets, groups, chain entries and three seals."""
    with create(f"sqlite:///{tmp_path / 'original.db'}") as ledger:
        ledger.create_asset("SCI", "Science", 18, operator=Address(b"\x05" * 20))
        ledger.create_asset("B", "Beta", 2, endowment=50)
        for account_id in ("alice", "bob", "0x" + "7f" * 20):
            ledger.create_account(account_id, 1_000, asset="SCI")
        ledger.seal()
        ledger.mint("bob", 77, asset="B", idempotency_key="k", memo="für Ω")
        pair = (Movement("alice", "bob", 1, "SCI"), Movement("bob", "alice", 2, "B"))
        zero = Movement("bob", "bob", 0, "SCI", kind=Kind.CHAIN, cause=Hash32(b"\x03" * 32))
        ledger.post_many([Group(pair), zero])
        ledger.seal()
        ledger.transfer("bob", "alice", 3, asset="SCI", reason="r")
        ledger.seal()
        ledger.burn("alice", 1, asset="SCI")
        write_standing(ledger)
        return contents_of(ledger)


def write_standing(ledger: Ledger) -> None:
    """Set amounts aside, set limits, freeze and close accounts, reverse an entry."""
    held = ledger.hold("alice", 100, "bob", asset="SCI", reason="r", idempotency_key="held")
    ledger.post_hold(held.id, 40, keep_rest=True)
    ledger.post_hold(ledger.hold("bob", 5, asset="SCI").id, to_account="alice")
    ledger.hold("bob", 7, asset="SCI", expires_at=moment_of(START + 10**12))
    ledger.reverse(ledger.transfer("bob", "alice", 9, asset="SCI").id, 4)
    ledger.set_limits("alice", asset="B", max_debit=5)
    for account_id in ("carol", "dave"):
        ledger.create_account(account_id, 0, asset="B")
    ledger.freeze_account("carol")
    ledger.close_account("dave")


@dataclasses.dataclass
class Contents:
    """What an export holds, as lists that a test may alter."""

    ledger_id: Hash32
    registrar: Address
    created_at: int
    assets: list[Asset]
    accounts: list[Account]
    entries: dict[str, list[Entry]]
    seals: list[Sealed]
    carried: dict[str, Carried]

    def restore(self, url: str, pepper: Hash32 | None = None) -> Ledger:
        contents = Restore(
            ledger_id=self.ledger_id,
            registrar=self.registrar,
            created_at=self.created_at,
            assets=self.assets,
            accounts=lambda: iter(self.accounts),
            entries=lambda symbol: iter(self.entries.get(symbol, [])),
            seals=self.seals,
            carried=lambda symbol: self.carried.get(symbol, Carried()),
        )
        return Ledger.restore(url, contents, pepper=pepper)


def contents_of(ledger: Ledger) -> Contents:
    identity, assets = ledger.identity, ledger.assets()
    return Contents(
        ledger_id=identity.ledger_id,
        registrar=identity.registrar,
        created_at=identity.created_at,
        assets=assets,
        accounts=list(ledger.accounts()),
        entries={asset.symbol: list(ledger.entries(asset.symbol)) for asset in assets},
        seals=list(ledger.seals()),
        carried={a.symbol: ledger.carried(a.symbol, ledger.head(a.symbol).seq) for a in assets},
    )


# --- what is right comes back ---


@pytest.mark.parametrize("pepper", [None, PEPPER], ids=["without pepper", "with pepper"])
def test_what_was_exported_comes_back(
    database_url: str, original: Contents, pepper: Hash32 | None
) -> None:
    with original.restore(database_url, pepper) as ledger:
        assert contents_of(ledger) == original
        assert ledger.audit().ok
        assert ledger.identity.pepper == pepper
        with raw(database_url) as database:
            [(blinds, rows)] = database.run("SELECT count(blind), count(*) FROM token_ledger")
        assert blinds == (0 if pepper else rows)


def test_with_its_pepper_it_goes_on(database_url: str, original: Contents) -> None:
    with original.restore(database_url, PEPPER) as ledger:
        ledger.transfer("alice", "bob", 1, asset="SCI")
        ledger.create_account("erin", 5, asset="B")
        assert ledger.seal() is not None
        assert ledger.audit().ok


def test_without_its_pepper_it_is_read_only(database_url: str, original: Contents) -> None:
    with original.restore(database_url) as ledger:
        before = dump(database_url)
        with pytest.raises(RefusedError) as refusal:
            ledger.transfer("alice", "bob", 1, asset="SCI")
        assert refusal.value.rule == Rule.READ_ONLY
        assert dump(database_url) == before
        assert ledger.get_balance("alice", "SCI") == 971
        assert ledger.account("alice") in original.accounts


@pytest.mark.parametrize(
    ("table", "column", "row"),
    [("token_ledger", "blind", "SCI/1"), ("token_accounts", "blind", "alice")],
)
def test_a_stored_blind_is_covered_by_audit(
    database_url: str, original: Contents, table: str, column: str, row: str
) -> None:
    where = "asset = 1 AND seq = 1" if table == "token_ledger" else "account_id = 'alice'"
    with original.restore(database_url) as ledger:
        with raw(database_url) as database:
            if database.postgresql:
                database.run("SET session_replication_role = replica")
            else:
                database.run("DROP TRIGGER token_ledger_no_update")
            database.run(f"UPDATE {table} SET {column} = ? WHERE {where}", b"\x01" * 32)  # noqa: S608 (our own names)
        finding = ledger.audit().finding
        assert finding is not None
        assert (finding.table, finding.row) == (table, row)


def test_a_wrong_pepper_is_refused(sqlite_url: str, original: Contents) -> None:
    with pytest.raises(RestoreError):
        original.restore(sqlite_url, Hash32(b"\x01" * 32))
    assert not file_of(sqlite_url).exists()


# --- what is not ---


def file_of(url: str) -> Path:
    return Path(str(make_url(url).database))


def put(rows: list[Any], position: int, **changes: Anything) -> None:
    rows[position] = dataclasses.replace(rows[position], **changes)


def put_batch(contents: Contents, position: int, **changes: Anything) -> None:
    """Alter the first batch of a seal: its model where the field is there, else its own row."""
    sealed = contents.seals[position]
    stored = sealed.batches[0]
    inner = {key: value for key, value in changes.items() if hasattr(stored.batch, key)}
    outer = {key: value for key, value in changes.items() if key not in inner}
    batch = dataclasses.replace(stored.batch, **inner)
    altered = dataclasses.replace(stored, batch=batch, **outer)
    put(contents.seals, position, batches=(altered, *sealed.batches[1:]))


def put_seal(contents: Contents, position: int, **changes: Anything) -> None:
    seal = dataclasses.replace(contents.seals[position].seal, **changes)
    put(contents.seals, position, seal=seal)


def put_hold(contents: Contents, position: int, **changes: Anything) -> None:
    """Alter a hold of SCI: the hold itself where the field is there, else what goes with it."""
    carried = contents.carried["SCI"]
    held = carried.holds[position]
    inner = {key: value for key, value in changes.items() if hasattr(held.hold, key)}
    outer = {key: value for key, value in changes.items() if key not in inner}
    holds = list(carried.holds)
    holds[position] = dataclasses.replace(
        held, hold=dataclasses.replace(held.hold, **inner), **outer
    )
    put_carried(contents, "SCI", holds=tuple(holds))


def put_carried(contents: Contents, symbol: str, **changes: Anything) -> None:
    contents.carried[symbol] = dataclasses.replace(contents.carried[symbol], **changes)


def put_account(contents: Contents, account_id: str, **changes: Anything) -> None:
    ids = [account.account_id for account in contents.accounts]
    put(contents.accounts, ids.index(account_id), **changes)


OTHER = Hash32(b"\x66" * 32)
ELSEWHERE = Address(b"\x66" * 20)


def entry_changes() -> dict[str, object]:
    """Return another value for every field of an entry that is stored."""
    return {
        "asset": "B", "seq": 9, "id": OTHER, "head": OTHER, "timestamp": 1, "from_account": "bob",
        "to_account": ISSUER, "from_address": ELSEWHERE, "to_address": ELSEWHERE, "amount": 2,
        "balance_after_from": 1, "balance_after_to": 1, "reason": "x", "reference_type": "x",
        "reference_id": "x", "memo": "x", "idempotency_key": "x", "group": OTHER, "kind": "hold",
        "cause": OTHER, "blind": OTHER,
    }  # fmt: skip


def in_entry(field: str, value: object) -> Callable[[Contents], object]:
    """Return the change of one field of one entry."""
    return lambda it: put(it.entries["SCI"], 2, **{field: value})


def hold_changes() -> dict[str, object]:
    """Return another value for every field of a hold that is carried."""
    return {
        "asset": "B", "number": 2, "id": OTHER, "account_id": "bob", "to_account": "alice",
        "from_address": ELSEWHERE, "to_address": ELSEWHERE, "amount": 101, "remaining": 61,
        "state": HoldState.VOIDED, "created_at": 1, "expires_at": START, "reason": "x",
        "reference_type": "x", "reference_id": "x", "memo": "x", "idempotency_key": "x",
        "blind": OTHER, "after_seq": 99,
    }  # fmt: skip


def in_hold(field: str, value: object) -> Callable[[Contents], object]:
    """Return the change of one field of one hold."""
    return lambda it: put_hold(it, 0, **{field: value})


TAMPERED: dict[str, Callable[[Contents], object]] = {
    **{f"entry {field}": in_entry(field, value) for field, value in entry_changes().items()},
    "entry missing": lambda it: it.entries["SCI"].pop(3),
    "first entry missing": lambda it: it.entries["SCI"].pop(0),
    "sealed tail missing": lambda it: it.entries["SCI"].__delitem__(slice(5, None)),
    "entry twice": lambda it: it.entries["SCI"].insert(3, it.entries["SCI"][3]),
    "entries swapped": lambda it: it.entries["SCI"].insert(2, it.entries["SCI"].pop(3)),
    "half a group": lambda it: it.entries["B"].pop(),
    "account missing": lambda it: it.accounts.pop(1),
    "issuer missing": lambda it: it.accounts.remove(
        next(account for account in it.accounts if account.account_id == ISSUER)
    ),
    "account twice": lambda it: it.accounts.append(it.accounts[1]),
    "account address": lambda it: put(it.accounts, 1, address=ELSEWHERE),
    "account blind": lambda it: put(it.accounts, 1, blind=OTHER),
    "account registrar": lambda it: put(it.accounts, 1, registrar=ELSEWHERE),
    "account derived": lambda it: put(it.accounts, 1, derived=False),
    "account id": lambda it: put(it.accounts, 1, account_id="mallory"),
    "account id empty": lambda it: put(it.accounts, 1, account_id=""),
    "account id not NFC": lambda it: it.accounts.append(
        dataclasses.replace(it.accounts[0], account_id="e\u0301")
    ),
    "blind of an address": lambda it: put(it.accounts, 0, blind=OTHER),
    "ledger id": lambda it: setattr(it, "ledger_id", OTHER),
    "asset id": lambda it: put(it.assets, 0, id=OTHER),
    "asset symbol": lambda it: put(it.assets, 0, symbol="SCJ"),
    "asset name": lambda it: put(it.assets, 0, name="x"),
    "asset decimals": lambda it: put(it.assets, 0, decimals=17),
    "asset decimals out of range": lambda it: put(it.assets, 0, decimals=256),
    "asset endowment": lambda it: put(it.assets, 0, endowment=MAX_AMOUNT + 1),
    "asset number": lambda it: put(it.assets, 1, number=9),
    "asset number twice": lambda it: put(it.assets, 1, number=1),
    "asset twice": lambda it: it.assets.append(dataclasses.replace(it.assets[0], number=3)),
    "asset missing": lambda it: it.assets.pop(),
    "seal number": lambda it: put_seal(it, 1, number=9),
    "seal prev": lambda it: put_seal(it, 1, prev_seal=OTHER),
    "seal time": lambda it: put_seal(it, 1, timestamp=1),
    "seal batches": lambda it: put_seal(it, 1, batches=(OTHER,)),
    "seal id": lambda it: put(it.seals, 1, id=OTHER),
    "seal missing": lambda it: it.seals.pop(1),
    "seal twice": lambda it: it.seals.append(it.seals[2]),
    "seal without batches": lambda it: put(it.seals, 1, batches=()),
    "batch asset": lambda it: put_batch(it, 1, asset=OTHER),
    "batch number": lambda it: put_batch(it, 1, number=9),
    "batch first": lambda it: put_batch(it, 1, first_seq=7),
    "batch last": lambda it: put_batch(it, 1, last_seq=1),
    "batch prev head": lambda it: put_batch(it, 1, prev_head=OTHER),
    "batch new head": lambda it: put_batch(it, 1, new_head=OTHER),
    "batch root": lambda it: put_batch(it, 1, tree_root=OTHER),
    "batch payload": lambda it: put_batch(it, 1, payload_hash=OTHER),
    "batch id": lambda it: put_batch(it, 1, id=OTHER),
    "batch symbol": lambda it: put_batch(it, 1, symbol="NO"),
    "batch seal": lambda it: put_batch(it, 1, seal=1),
    "batch frontier": lambda it: put_batch(it, 1, frontier=b""),
    **{f"hold {field}": in_hold(field, value) for field, value in hold_changes().items()},
    "hold to nobody": lambda it: put_hold(it, 0, to_account=""),
    "hold of nobody": lambda it: put_hold(it, 0, account_id="mallory"),
    "hold of nothing": lambda it: put_hold(it, 0, amount=40),
    "hold of the issuer": lambda it: put_hold(it, 0, account_id=ISSUER, from_address=ZERO_ADDRESS),
    "hold in the future": lambda it: put_hold(it, 1, expires_at=2**62),
    "hold text too long": lambda it: put_hold(it, 0, reason="a" * 256),
    "hold after a later one": lambda it: put_hold(it, 1, after_seq=1),
    "hold twice": lambda it: put_carried(it, "SCI", holds=[it.carried["SCI"].holds[0]] * 2),
    "hold in another asset": lambda it: put_carried(it, "B", holds=it.carried["SCI"].holds),
    "last hold before the last": lambda it: put_carried(it, "SCI", last_hold=3),
    "limits of nobody": lambda it: put_carried(it, "B", limits={"mallory": Limits(1)}),
    "limits of the issuer": lambda it: put_carried(it, "B", limits={ISSUER: Limits(1)}),
    "limit below zero": lambda it: put_carried(it, "B", limits={"bob": Limits(-1)}),
    "limit too large": lambda it: put_carried(it, "B", limits={"bob": Limits(None, 2**256)}),
    "account closed with a balance": lambda it: put_account(it, "alice", status=Status.CLOSED),
    "issuer frozen": lambda it: put_account(it, ISSUER, status=Status.FROZEN),
    "time too large": lambda it: put(it.entries["SCI"], 2, timestamp=2**64 - 1),
    "amount too large": lambda it: put(it.entries["SCI"], 2, amount=MAX_AMOUNT + 1),
    "text with NUL": lambda it: put(it.entries["SCI"], 2, memo="\0"),
    "text too long": lambda it: put(it.entries["SCI"], 2, reason="a" * 256),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampered_contents_are_refused_and_leave_nothing(
    sqlite_url: str, original: Contents, what: str
) -> None:
    TAMPERED[what](original)
    with pytest.raises(RestoreError, match="nothing was imported") as refusal:
        original.restore(sqlite_url)
    assert refusal.value.finding.table.startswith("token_")
    folder = file_of(sqlite_url).parent
    assert [path.name for path in folder.iterdir() if "original" not in path.name] == []


def test_a_database_that_was_there_stays_as_it_was(database_url: str, original: Contents) -> None:
    with raw(database_url) as database:
        database.run("CREATE TABLE notes (note TEXT)")
    put(original.entries["SCI"], -1, memo="x")
    with pytest.raises(RestoreError):
        original.restore(database_url)
    with raw(database_url) as database:
        assert database.run("SELECT * FROM notes") == []
        tables = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            if database.postgresql
            else "SELECT name FROM sqlite_schema"
        )
        assert database.run(tables) == [("notes",)]


def test_a_database_that_holds_a_ledger_is_not_restored_into(
    database_url: str, original: Contents
) -> None:
    create(database_url).close()
    before = dump(database_url)
    with pytest.raises(DatabaseFileError, match="holds a ledger already"):
        original.restore(database_url)
    assert dump(database_url) == before


def test_a_forged_history_with_valid_ids_is_still_no_overdraft(
    sqlite_url: str, original: Contents
) -> None:
    """Whoever recomputes every id of an invented entry is refused by the balances."""
    last = original.entries["SCI"][-1]
    forged = dataclasses.replace(
        last, seq=last.seq + 1, timestamp=last.timestamp + 1, from_account="bob",
        from_address=next(a.address for a in original.accounts if a.account_id == "bob"),
        to_account=ISSUER, to_address=ZERO_ADDRESS, amount=10**30, group=ZERO_HASH,
    )  # fmt: skip
    id_, head = recomputed(
        ledger_domain(original.ledger_id), original.assets[0].id, last.head, forged
    )
    original.entries["SCI"].append(dataclasses.replace(forged, id=Hash32(id_), head=Hash32(head)))
    with pytest.raises(RestoreError, match=f"SCI/{forged.seq}: amount"):
        original.restore(sqlite_url)


# --- what goes with the entries ---


def test_what_was_held_limited_and_frozen_comes_back(database_url: str, original: Contents) -> None:
    with original.restore(database_url, PEPPER) as ledger:
        assert ledger.balance("alice", "SCI").total_staked == 60
        assert ledger.balance("bob", "SCI").total_staked == 7
        assert ledger.balance("alice", "B").max_debit == 5
        assert [ledger.account(name).status for name in ("bob", "carol", "dave")] == [
            Status.OPEN, Status.FROZEN, Status.CLOSED,
        ]  # fmt: skip
        with pytest.raises(RefusedError) as refusal:
            ledger.transfer("alice", "carol", 6, asset="B")
        assert refusal.value.rule == Rule.DEBIT_LIMIT
        held = original.carried["SCI"].holds[0].hold
        assert ledger.post_hold(held.id).amount == 60
        assert ledger.audit().ok


def test_a_hold_asked_for_again_after_an_import_is_the_same(
    database_url: str, original: Contents
) -> None:
    with original.restore(database_url, PEPPER) as ledger:
        held = original.carried["SCI"].holds[0].hold
        again = ledger.hold("alice", 100, "bob", asset="SCI", reason="r", idempotency_key="held")
        assert (again.id, again.remaining) == (held.id, 100)
        with pytest.raises(RefusedError) as refusal:
            ledger.hold("alice", 99, "bob", asset="SCI", reason="r", idempotency_key="held")
        assert refusal.value.rule == Rule.KEY_REUSED
        with raw(database_url) as database:
            assert database.run("SELECT count(*) FROM token_holds") == [(2,)]


def test_events_go_on_after_an_import(database_url: str, original: Contents) -> None:
    with original.restore(database_url, PEPPER) as ledger:
        last = original.carried["SCI"].last_hold
        held = ledger.hold("alice", 1, asset="SCI")
        assert held.number == last + 3  # after the import itself, and a hold that expired
        ledger.void_hold(held.id)
        ledger.reopen_account("dave")
        assert ledger.audit().ok
        assert contents_of(ledger).carried["SCI"].last_hold == held.number


def test_what_expired_meanwhile_expires_after_the_import(
    database_url: str, original: Contents
) -> None:
    original.restore(database_url, PEPPER).close()
    with Ledger.open(database_url, clock=Clock(START + 2 * 10**12)) as ledger:
        ledger.transfer("bob", "alice", 1, asset="SCI")
        assert ledger.balance("bob", "SCI").total_staked == 0
        assert ledger.audit().ok


AFTER_IMPORT = {
    "a hold that came with it is gone": ("DELETE FROM token_holds WHERE number = 1", "SCI/1"),
    "its event is gone": ("DELETE FROM token_events WHERE number = 1 AND asset = 1", "SCI/1"),
    "less is left of it": ("UPDATE token_holds SET remaining = <59> WHERE number = 1", "SCI/1"),
    "its end is gone": ("DELETE FROM token_events WHERE type = 'imported'", "SCI/2"),
}


@pytest.mark.parametrize("what", AFTER_IMPORT)
def test_audit_names_what_is_wrong_with_what_was_imported(
    database_url: str, original: Contents, what: str
) -> None:
    sql, row = AFTER_IMPORT[what]
    with original.restore(database_url) as ledger:
        with attacker(database_url) as database:
            amounts = [database.amount(int(found)) for found in re.findall(r"<(\d+)>", sql)]
            database.run(re.sub(r"<\d+>", "?", sql), *amounts)
        finding = ledger.audit().finding
        assert finding is not None
        assert finding.row == row


# --- forged entries whose ids, heads and balances are right ---


def forge(contents: Contents, model: Entry, **changes: Anything) -> None:
    """Append an entry to SCI that only what must follow from its kind can refuse."""
    rows = contents.entries["SCI"]
    last, balances = rows[-1], balances_of(rows)
    given = dataclasses.replace(
        model, seq=last.seq + 1, timestamp=last.timestamp + 1, group=ZERO_HASH,
        idempotency_key="", **changes,
    )  # fmt: skip
    addresses = {account.account_id: account.address for account in contents.accounts}
    forged = dataclasses.replace(
        given,
        from_address=addresses[given.from_account],
        to_address=addresses[given.to_account],
        balance_after_from=balances[given.from_account] - given.amount,
        balance_after_to=balances.get(given.to_account, 0) + given.amount,
    )
    domain = ledger_domain(contents.ledger_id)
    id_, head = recomputed(domain, contents.assets[0].id, last.head, forged)
    rows.append(dataclasses.replace(forged, id=Hash32(id_), head=Hash32(head)))


def balances_of(rows: list[Entry]) -> dict[str, int]:
    balances: dict[str, int] = {}
    for entry in rows:
        balances[entry.from_account] = entry.balance_after_from
        balances[entry.to_account] = entry.balance_after_to
    return balances


def of_kind(contents: Contents, kind: Kind) -> Entry:
    return next(entry for entry in contents.entries["SCI"] if entry.kind == kind)


def by_reason(contents: Contents, reason: str) -> Entry:
    return next(entry for entry in contents.entries["SCI"] if entry.reason == reason)


def undo(contents: Contents, old: Entry, **changes: Anything) -> None:
    """Append a reversal of `old`, with `changes`."""
    right: dict[str, Any] = {
        "from_account": old.to_account, "to_account": old.from_account, "amount": old.amount,
        "cause": old.id,
    }  # fmt: skip
    forge(contents, of_kind(contents, Kind.REVERSAL), **{**right, **changes})


def in_group(contents: Contents) -> Entry:
    return next(entry for entry in contents.entries["SCI"] if entry.group != ZERO_HASH)


def post_more(contents: Contents, **changes: Anything) -> None:
    """Append an entry that posts the pending hold of 60 left, with `changes`."""
    hold = contents.carried["SCI"].holds[0].hold
    right: dict[str, Any] = {
        "from_account": "alice", "to_account": "bob", "amount": 60, "cause": hold.id,
    }  # fmt: skip
    forge(contents, of_kind(contents, Kind.HOLD), **{**right, **changes})


FORGED: dict[str, tuple[Callable[[Contents], object], str]] = {
    "a reversal of nothing": (lambda it: undo(it, by_reason(it, "r"), cause=OTHER), "cause"),
    "a reversal of more": (lambda it: undo(it, by_reason(it, "r"), amount=4), "amount"),
    "a reversal of another account's": (
        lambda it: undo(it, by_reason(it, "r"), to_account="carol"),
        "to_account",
    ),
    "a reversal the same way": (
        lambda it: undo(it, by_reason(it, "r"), from_account="bob", to_account="alice"),
        "from_account",
    ),
    "a part of a group reversed": (lambda it: undo(it, in_group(it)), "cause"),
    "a hold posted to another": (lambda it: post_more(it, to_account="carol"), "to_account"),
    "a hold posted from another": (
        lambda it: post_more(it, from_account="bob", to_account="alice"),
        "from_account",
    ),
    "a hold posted whole and pending": (post_more, "amount"),
    "a hold posted in part and as it was": (lambda it: post_more(it, amount=1), "remaining"),
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_entries_with_valid_ids_are_refused(
    sqlite_url: str, original: Contents, what: str
) -> None:
    change, named = FORGED[what]
    change(original)
    with pytest.raises(RestoreError) as refusal:
        original.restore(sqlite_url)
    assert refusal.value.finding.what == named
    assert not file_of(sqlite_url).exists()


def test_forged_entries_that_follow_are_taken(sqlite_url: str, original: Contents) -> None:
    """The forger above makes nothing wrong but what each case changes."""
    undo(original, by_reason(original, "r"))
    post_more(original, amount=10)
    put_hold(original, 0, remaining=50)
    with original.restore(sqlite_url) as ledger:
        assert ledger.audit().ok


def test_an_entry_is_not_reversed_twice(sqlite_url: str, original: Contents) -> None:
    undo(original, by_reason(original, "r"))
    undo(original, by_reason(original, "r"))
    with pytest.raises(RestoreError, match="token_ledger"):
        original.restore(sqlite_url)


def test_what_is_carried_is_found_in_one_pass(sqlite_url: str, original: Contents) -> None:
    """A subquery that ran once for each hold would be quadratic in them."""
    original.restore(sqlite_url).close()
    with raw(sqlite_url) as database:
        plan = database.run(f"EXPLAIN QUERY PLAN {PENDING_THEN}", 1, 9, 1, 9)
    assert not [row for row in plan if "CORRELATED" in str(row)], plan
