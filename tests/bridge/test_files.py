"""Every row of an export, written and read back: the same value, and the same bytes again."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import files, standing
from bridge.errors import ExportFileError
from bridge.strict import Place, dump_line, load_line
from ledger import Account, Asset, Entry, Link, LinkScheme
from ledger.merkle import Frontier
from ledger.model import ZERO_HASH, Address, Batch, Hash32, HoldState, Kind, Seal, Status
from ledger.results import CarriedHold, Hold, HoldKey, Limits, SealedBatch
from ledger.texts import MAX_MEMO_BYTES, MAX_SYMBOL, MAX_TEXT
from tests.core.strategies import addresses, amounts, hashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.files import FileFacts
    from bridge.strict import Row

PLACE = Place("row")
NOBODY = Address(b"\x77" * 20)


def text(most: int, *, least: int = 0) -> st.SearchStrategy[str]:
    """Draw every text that can be stored: no surrogate, no NUL."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.text(characters, min_size=least, max_size=most)


def is_id(name: str) -> bool:
    return unicodedata.is_normalized("NFC", name) and 0 < len(name) < 256


i63 = st.one_of(st.integers(0, 2**63 - 1), st.just(2**63 - 1))
texts = st.one_of(text(40), text(MAX_TEXT, least=MAX_TEXT))
memos = st.one_of(texts, st.just("🙂" * (MAX_MEMO_BYTES // 4)))
symbols = text(MAX_SYMBOL, least=1)
names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40)
ids = st.one_of(
    names.map(lambda name: unicodedata.normalize("NFC", name)).filter(is_id),
    addresses.map(lambda address: "0x" + address.hex()),
)

entries = st.builds(
    Entry,
    asset=symbols,
    seq=i63,
    id=hashes,
    head=hashes,
    timestamp=i63,
    from_account=ids,
    to_account=ids,
    from_address=addresses,
    to_address=addresses,
    amount=amounts,
    balance_after_from=amounts,
    balance_after_to=amounts,
    reason=texts,
    reference_type=texts,
    reference_id=texts,
    memo=memos,
    idempotency_key=texts,
    group=hashes,
    kind=st.sampled_from(Kind),
    cause=hashes,
    blind=hashes,
)
signatures = st.binary(max_size=70)
links = st.one_of(
    st.just(Link(LinkScheme.OPERATOR)),
    st.builds(Link, st.just(LinkScheme.ERC1271), st.integers(1, 2**256 - 1), signatures),
    st.builds(
        Link, st.sampled_from([LinkScheme.EIP712, LinkScheme.EIP191]), st.just(0), signatures
    ),
)
accounts = st.builds(
    Account,
    account_id=ids,
    address=addresses,
    blind=hashes,
    registrar=addresses,
    derived=st.booleans(),
    created_at=i63,
    link=st.none() | links,
    status=st.sampled_from(Status),
)
assets = st.builds(
    Asset,
    number=st.integers(1, 2**31 - 1),
    id=hashes,
    symbol=symbols,
    name=texts,
    decimals=st.integers(0, 255),
    endowment=amounts,
    operator=st.none() | addresses,
    token_version=text(20),
)
exported_assets = st.builds(
    files.ExportedAsset, assets, st.none() | addresses, addresses, i63, hashes, i63
)
holds = st.builds(
    Hold,
    asset=symbols,
    number=i63,
    id=hashes,
    account_id=ids,
    to_account=st.just("") | ids,
    from_address=addresses,
    to_address=addresses,
    amount=amounts,
    remaining=amounts,
    state=st.just(HoldState.PENDING),
    created_at=i63,
    updated_at=st.just(0),
    expires_at=st.none() | i63,
    reason=texts,
    reference_type=texts,
    reference_id=texts,
    memo=memos,
    idempotency_key=texts,
    blind=hashes,
).map(lambda hold: replace(hold, updated_at=hold.created_at))
limits = st.builds(Limits, st.none() | amounts, st.none() | amounts)
batches = st.builds(Batch, hashes, i63, i63, i63, hashes, hashes, hashes, hashes)
frontiers = st.lists(hashes, max_size=20).map(lambda leaves: Frontier().extend(leaves).to_bytes())
sealed_batches = st.builds(SealedBatch, batches, hashes, symbols, i63, frontiers)
seals = st.builds(Seal, i63, hashes, i63, st.just(()))
facts = st.builds(files.FileFacts, i63, i63, hashes.map(bytes.hex))


def through_a_file(row: Row) -> object:
    """Write a row, read the line, and make sure that it is the one way to write it."""
    line = dump_line(row)
    assert line.count(b"\n") == 1
    found = load_line(PLACE, line)
    assert dump_line(found) == line
    return found


HELD = Hold(
    "SCI", 1, ZERO_HASH, "alice", "", NOBODY, NOBODY, 1, 1, HoldState.PENDING, 1, 1
)  # fmt: skip
ASSET = Asset(1, ZERO_HASH, "SCI", "Science", 18, 0, None, "1")
ROWS = {
    "account": files.account_row(
        Account("a", NOBODY, ZERO_HASH, NOBODY, derived=True, created_at=1)
    ),
    "asset": files.ExportedAsset(ASSET, None, NOBODY, 0, ZERO_HASH).to_row(),
    "hold": standing.hold_row(CarriedHold(HELD, 0)),
    "limits": standing.limits_row("SCI", "alice", Limits(1)),
}


@given(entries)
def test_an_entry(entry: Entry) -> None:
    found = files.read_entry(PLACE, through_a_file(files.entry_row(entry)))
    assert found == entry
    assert isinstance(found.kind, Kind)


@given(accounts)
def test_an_account(account: Account) -> None:
    assert files.read_account(PLACE, through_a_file(files.account_row(account))) == account


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scheme": "trust-me"}, "LinkScheme"),
        ({"scheme": None}, "must be text"),
        ({"chain_id": 0}, "must be digits"),
        ({"chain_id": "1"}, "of no chain"),
        ({"chain_id": "00"}, "leading zeros"),
        ({"signature": None}, "needs a signature"),
        ({"signature": "0x0"}, "lower-case hex"),
        ({"signature": "0x" + "AB" * 65}, "lower-case hex"),
        ({"signature": "0x" + "01" * 65}, "must be 1b or 1c"),
        ({"signature": "0x" + "01" * 8193}, "at most 8192 bytes"),
        ({"more": 1}, "in this order"),
    ],
)
def test_a_link_is_read_strictly(change: Row, said: str) -> None:
    link = Link(LinkScheme.EIP712, 0, b"\x01" * 64 + b"\x1b")
    account = Account("alice", NOBODY, ZERO_HASH, NOBODY, derived=False, created_at=1, link=link)
    row = files.account_row(account)
    row["link"] |= change
    with pytest.raises(ExportFileError, match=said) as refusal:
        files.read_account(PLACE, row)
    assert refusal.value.field == "link"


def test_an_account_without_a_link_names_none() -> None:
    account = Account("alice", NOBODY, ZERO_HASH, NOBODY, derived=True, created_at=1)
    row = files.account_row(account)
    assert "link" not in row
    with pytest.raises(ExportFileError, match="must be an object"):
        files.read_account(PLACE, row | {"link": None})


@given(exported_assets)
def test_an_asset(asset: files.ExportedAsset) -> None:
    found = files.read_asset(PLACE, through_a_file(asset.to_row()), asset.asset.number)
    assert found == asset


@given(holds, i63)
def test_a_hold(hold: Hold, after_seq: int) -> None:
    carried = CarriedHold(hold, after_seq)
    assert standing.read_hold(PLACE, through_a_file(standing.hold_row(carried))) == carried


@given(symbols, ids, limits.filter(lambda each: each != Limits()))
def test_limits(symbol: str, account_id: str, each: Limits) -> None:
    row = through_a_file(standing.limits_row(symbol, account_id, each))
    assert standing.read_limits(PLACE, row) == (symbol, account_id, each)


@given(st.builds(HoldKey, texts, symbols, i63))
def test_a_key(key: HoldKey) -> None:
    assert standing.read_key(PLACE, through_a_file(standing.key_row(key))) == key


@pytest.mark.parametrize(
    ("read", "row", "field"),
    [
        (files.read_account, {"status": "open"}, "status"),
        (files.read_account, {"status": "lost"}, "status"),
        (files.read_account, {"status": None}, "status"),
        (partial(files.read_asset, number=1), {"last_hold": 0}, "last_hold"),
        (partial(files.read_asset, number=1), {"last_hold": "1"}, "last_hold"),
        (standing.read_limits, {"max_debit": None, "max_balance": None}, "max_balance"),
        (standing.read_hold, {"expires_at": "1"}, "expires_at"),
        (standing.read_hold, {"to_account": None}, "to_account"),
        (standing.read_hold, {"amount": 5}, "amount"),
        (standing.read_hold, {"state": "pending"}, "state"),
    ],
)
def test_what_is_optional_is_read_strictly(
    read: Callable[[Place, Row], object], row: Row, field: str
) -> None:
    name = "asset" if isinstance(read, partial) else read.__name__.removeprefix("read_")
    with pytest.raises(ExportFileError) as refusal:
        read(PLACE, ROWS[name] | row)
    assert refusal.value.field == field


@given(sealed_batches, st.integers(1, 10**7).map(files.batch_file))
def test_a_batch(batch: SealedBatch, file: str) -> None:
    row = through_a_file(files.batch_row(batch, file))
    found = files.read_batch(PLACE, row, batch.seal, {batch.batch.asset: batch.symbol})
    assert found == (batch, file)


@given(seals, hashes, st.lists(sealed_batches, max_size=3))
def test_a_seal(seal: Seal, id_: Hash32, inside: list[SealedBatch]) -> None:
    rows = [files.batch_row(batch, "file") for batch in inside]
    found = files.read_seal(PLACE, through_a_file(files.seal_row(seal, id_, rows)))
    assert found == (seal, id_, rows)


@given(facts)
def test_what_is_said_of_a_file(file: FileFacts) -> None:
    assert files.read_facts(PLACE, through_a_file(file.to_row())) == file


@given(entries, entries)
def test_different_entries_have_different_rows(one: Entry, other: Entry) -> None:
    assert (files.entry_row(one) == files.entry_row(other)) is (one == other)
