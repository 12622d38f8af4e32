"""Account ids, and the addresses that follow from them."""

from __future__ import annotations

import unicodedata

import pytest
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.addresses import (
    DEPLOYMENT_PROXY,
    account_blind,
    account_key,
    address_in_id,
    check_linkable,
    create2_address,
    entry_blind,
    hold_blind,
    normalize_account_id,
    registrar_key,
)
from ledger.errors import FieldError
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Address
from tests.core.strategies import hashes, u64

HEX = "d8da6bf26964af9d7eed9e03e53415d37aa96045"


@pytest.mark.parametrize(
    ("given_id", "stored"),
    [
        ("alice", "alice"),
        ("a", "a"),
        ("system", "system"),
        (" alice ", " alice "),
        ("Alice", "Alice"),
        ("cafe\u0301", "caf\u00e9"),
        ("caf\u00e9", "caf\u00e9"),
        ("\u212b", "\u00c5"),
        ("\u1e9b\u0323", "\u1e9b\u0323"),
        ("\ufb01", "\ufb01"),
        ("张三", "张三"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\ue000", "\ue000"),
        ("\u0958", "\u0915\u093c"),
        ("x" * 255, "x" * 255),
        ("e\u0301" * 255, "\u00e9" * 255),
        ("💰" * 255, "💰" * 255),
        ("0x" + HEX, "0x" + HEX),
        ("0x" + "0" * 40, "0x" + "0" * 40),
        (HEX, HEX),
        (HEX.upper(), HEX.upper()),
        ("0x" + HEX.upper() + "00", "0x" + HEX.upper() + "00"),
        ("0x" + HEX.upper()[:-1], "0x" + HEX.upper()[:-1]),
        ("0x" + "G" * 40, "0x" + "G" * 40),
    ],
)
def test_an_account_id_is_stored_in_nfc(given_id: str, stored: str) -> None:
    assert normalize_account_id(given_id) == stored


@pytest.mark.parametrize(
    ("given_id", "message"),
    [
        ("", "1..255"),
        ("x" * 256, "1..255"),
        ("\u0958" * 128, "1..255"),
        ("a\x00b", r"control code point U\+0000 at position 1"),
        ("\n", "control"),
        ("a\tb", "control"),
        ("\x7f", "control"),
        ("\x85", "control"),
        ("\ud800", "surrogate"),
        ("a\udfff", "surrogate"),
        ("\u0378", "unassigned"),
        ("\ufffe", "unassigned"),
        ("\U0010ffff", "unassigned"),
        ("0x" + HEX.upper(), "lower case"),
        ("0x" + HEX[:-1] + "A", "lower case"),
        ("0X" + HEX, "lower case"),
        ("0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045", "lower case"),
        (None, "must be text"),
        (7, "must be text"),
        (b"alice", "must be text"),
    ],
)
def test_what_another_unicode_version_may_change_is_refused(given_id: str, message: str) -> None:
    with pytest.raises(FieldError, match=message) as refusal:
        normalize_account_id(given_id, "to_account")
    assert refusal.value.field == "to_account"


@given(st.text(max_size=60))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    try:
        stored = normalize_account_id(text)
    except FieldError:
        return
    assert normalize_account_id(stored) == stored == unicodedata.normalize("NFC", text)
    assert not {unicodedata.category(one) for one in stored} & {"Cc", "Cs", "Cn"}


@pytest.mark.parametrize(
    ("account_id", "address"),
    [
        ("system", ZERO_ADDRESS),
        ("0x" + HEX, Address(bytes.fromhex(HEX))),
        ("alice", None),
        (HEX, None),
        ("0x" + HEX[:-1], None),
        ("0x" + HEX + "00", None),
        ("System", None),
    ],
)
def test_an_id_that_is_an_address(account_id: str, address: Address | None) -> None:
    assert address_in_id(account_id) == address


FACTORY = Address(b"\xfa" * 20)


@pytest.mark.parametrize(
    "address",
    [
        ZERO_ADDRESS,
        Address((1).to_bytes(20, "big")),
        Address((2**16 - 1).to_bytes(20, "big")),
        DEPLOYMENT_PROXY,
        FACTORY,
    ],
)
def test_where_tokens_would_strand_cannot_be_linked(address: Address) -> None:
    with pytest.raises(FieldError) as refusal:
        check_linkable(address, frozenset({FACTORY}))
    assert refusal.value.field == "address"


@pytest.mark.parametrize("number", [2**16, 2**160 - 1])
def test_other_addresses_can_be_linked(number: int) -> None:
    address = Address(number.to_bytes(20, "big"))
    assert check_linkable(address, frozenset({FACTORY})) == address


@pytest.mark.parametrize(
    ("deployer", "salt", "init_code", "address"),
    [
        ("00", "00", "00", "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
        (
            "deadbeef00000000000000000000000000000000",
            "00",
            "00",
            "0xB928f69Bb1D91Cd65274e3c79d8986362984fDA3",
        ),
        (
            "deadbeef00000000000000000000000000000000",
            "feed000000000000000000000000000000000000",
            "00",
            "0xD04116cDd17beBE565EB2422F2497E06cC1C9833",
        ),
        ("00", "00", "deadbeef", "0x70f2b2914A2a4b783FaEFb75f459A580616Fcb5e"),
        ("deadbeef", "cafebabe", "deadbeef", "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7"),
        ("deadbeef", "cafebabe", "deadbeef" * 11, "0x1d8bfDC5D46DC4f61D6b6115972536eBE6A8854C"),
        ("00", "00", "", "0xE33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
    ],
)
def test_create2_is_eip_1014s(deployer: str, salt: str, init_code: str, address: str) -> None:
    code_hash = eth_keccak(bytes.fromhex(init_code))
    from_ = bytes.fromhex(deployer.zfill(40))
    assert str(create2_address(from_, bytes.fromhex(salt.zfill(64)), code_hash)) == address


@given(hashes, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_blinds_and_keys_are_as_the_format_writes_them(pepper: bytes, account_id: str) -> None:
    blind = eth_keccak(pepper + b"account" + b"\x00" + account_id.encode())
    assert account_blind(pepper, account_id) == blind
    assert account_key(blind, account_id) == eth_keccak(blind + account_id.encode())


@given(hashes, hashes, u64)
def test_entry_blinds_are_as_the_format_writes_them(pepper: bytes, asset: bytes, seq: int) -> None:
    words = pepper + b"entry" + b"\x00" + asset + seq.to_bytes(8, "big")
    assert entry_blind(pepper, asset, seq) == eth_keccak(words)


@given(hashes, hashes, u64)
def test_hold_blinds_are_as_the_format_writes_them(
    pepper: bytes, asset: bytes, number: int
) -> None:
    words = pepper + b"hold" + b"\x00" + asset + number.to_bytes(8, "big")
    assert hold_blind(pepper, asset, number) == eth_keccak(words)


@given(hashes)
def test_the_registrars_key_is_as_the_format_writes_it(pepper: bytes) -> None:
    assert registrar_key(pepper) == eth_keccak(pepper + b"registrar" + b"\x00")


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_accounts_have_different_keys(one: str, other: str) -> None:
    try:
        first, second = normalize_account_id(one), normalize_account_id(other)
    except FieldError:
        return
    assume(first != second)
    assert account_blind(ZERO_HASH, first) != account_blind(ZERO_HASH, second)
