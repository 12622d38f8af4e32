"""Links: only the key of an address proves that it is an account's, and only of this one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.addresses import normalize_account_id
from ledger.encoding import ledger_domain
from ledger.errors import FieldError, RefusedError, Rule
from ledger.ids import link_digest
from ledger.links import (
    MAX_SIGNATURE,
    Link,
    LinkScheme,
    check_link,
    link_message,
    link_typed_data,
    message_digest,
)
from ledger.model import Address, Hash32
from tests.core.golden import vectors
from tests.core.strategies import addresses, amounts, hashes, texts

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

LEDGER_ID: Final = Hash32(bytes(range(32)))
OWNER: Final = Account.from_key("0x" + "6b" * 32)
STRANGER: Final = Account.from_key("0x" + "7c" * 32)
ADDRESS: Final = Address.parse(OWNER.address)
KEY_SCHEMES: Final = (LinkScheme.EIP712, LinkScheme.EIP191)


def is_account_id(text: str) -> bool:
    try:
        normalize_account_id(text)
    except FieldError:
        return False
    return True


account_ids = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1).filter(
    is_account_id
)


def typed_data(
    account_id: str, address: str, chain_id: int = 0, ledger_id: bytes = LEDGER_ID
) -> dict[str, Any]:
    """Return the EIP-712 message as design section 4 writes it, with no word of the ledger's."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "salt", "type": "bytes32"},
            ],
            "Link": [
                {"name": "accountId", "type": "string"},
                {"name": "wallet", "type": "address"},
                {"name": "chainId", "type": "uint256"},
            ],
        },
        "primaryType": "Link",
        "domain": {"name": "evm-ledger", "version": "1", "salt": ledger_id},
        "message": {"accountId": account_id, "wallet": address, "chainId": chain_id},
    }


def text(account_id: str, address: str, ledger_id: bytes = LEDGER_ID) -> str:
    """Return the EIP-191 text of an id that needs no escapes."""
    return (
        "evm-ledger link, version 1\n\n"
        "I hold this address. The tokens of this account shall be mine, at this address.\n\n"
        f"Ledger: 0x{ledger_id.hex()}\nAddress: {address}\nAccount: {account_id}"
    )


def sign(
    scheme: LinkScheme,
    account_id: str = "alice",
    *,
    signer: LocalAccount = OWNER,
    address: str = OWNER.address,
    ledger_id: bytes = LEDGER_ID,
    chain_id: int = 0,
) -> Link:
    """Sign with eth-account what `scheme` asks for."""
    if scheme is LinkScheme.EIP712:
        message = typed_data(account_id, address, chain_id, ledger_id)
        signable = encode_typed_data(full_message=message)
    else:
        signable = encode_defunct(text=text(account_id, address, ledger_id))
    return Link(scheme, 0, bytes(signer.sign_message(signable).signature))


def refuse(link: Link, account_id: str = "alice", address: Address = ADDRESS) -> None:
    with pytest.raises(RefusedError) as refusal:
        check_link(LEDGER_ID, account_id, address, link)
    assert refusal.value.rule is Rule.LINK_INVALID


# --- what proves ---


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
@given(account_id=account_ids, ledger_id=hashes)
def test_the_owners_signature_proves(
    scheme: LinkScheme, account_id: str, ledger_id: Hash32
) -> None:
    stored = normalize_account_id(account_id)
    assume(link_message(ledger_id, stored, ADDRESS).endswith(stored))
    link = sign(scheme, stored, ledger_id=ledger_id)
    assert check_link(ledger_id, account_id, ADDRESS, link) == link


@given(account_ids)
def test_the_text_that_is_asked_for_proves(account_id: str) -> None:
    signable = encode_defunct(text=link_message(LEDGER_ID, account_id, ADDRESS))
    link = Link(LinkScheme.EIP191, 0, OWNER.sign_message(signable).signature)
    assert check_link(LEDGER_ID, account_id, ADDRESS, link) == link


@given(account_ids)
def test_the_typed_data_that_is_asked_for_proves(account_id: str) -> None:
    asked = json.loads(json.dumps(link_typed_data(LEDGER_ID, account_id, ADDRESS)))
    signature = OWNER.sign_message(encode_typed_data(full_message=asked)).signature
    link = Link(LinkScheme.EIP712, 0, signature)
    assert check_link(LEDGER_ID, account_id, ADDRESS, link) == link


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
def test_a_signature_is_kept_with_v_27_or_28(scheme: LinkScheme) -> None:
    link = sign(scheme)
    assert link.signature is not None
    parity = link.signature[64] - 27
    bare = Link(scheme, 0, link.signature[:64] + bytes([parity]))
    assert bare == link
    assert check_link(LEDGER_ID, "alice", ADDRESS, bare) == link


def test_a_wallets_signature_is_kept_as_it_is() -> None:
    assert Link(LinkScheme.ERC1271, 1, bytes(64) + b"\x01").signature == bytes(64) + b"\x01"
    assert Link(LinkScheme.ERC1271, 1, b"\x01" * 65).signature == b"\x01" * 65


def test_an_id_is_normalised_before_it_is_checked() -> None:
    link = sign(LinkScheme.EIP712, "caf\u00e9")
    assert check_link(LEDGER_ID, "cafe\u0301", ADDRESS, link) == link


@pytest.mark.parametrize(
    "link",
    [
        Link(LinkScheme.OPERATOR),
        Link(LinkScheme.ERC1271, 1, b""),
        Link(LinkScheme.ERC1271, 2**256 - 1, b"\x01" * MAX_SIGNATURE),
    ],
)
def test_what_no_key_proves_is_taken_on_trust(link: Link) -> None:
    assert check_link(LEDGER_ID, "alice", ADDRESS, link) is link


# --- what does not ---


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
@pytest.mark.parametrize("position", range(65))
def test_an_altered_byte_proves_nothing(scheme: LinkScheme, position: int) -> None:
    signature = sign(scheme).signature
    assert signature is not None
    for mask in (0x01, 0x80, 0xFF):
        altered = bytearray(signature)
        altered[position] ^= mask
        refuse(Link(scheme, 0, bytes(altered)))


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
@pytest.mark.parametrize(
    "change",
    [
        {"ledger_id": bytes(32)},
        {"account_id": "bob"},
        {"account_id": "Alice"},
        {"account_id": "alice "},
        {"address": STRANGER.address},
        {"signer": STRANGER},
    ],
    ids=lambda change: "other " + next(iter(change)),
)
def test_a_signature_of_something_else_proves_nothing(
    scheme: LinkScheme, change: dict[str, Any]
) -> None:
    refuse(sign(scheme, **change))


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
def test_the_signer_of_another_address_proves_nothing(scheme: LinkScheme) -> None:
    refuse(sign(scheme), address=Address.parse(STRANGER.address))


@pytest.mark.parametrize("chain_id", [1, 31337])
def test_a_keys_signature_is_of_no_chain(chain_id: int) -> None:
    refuse(sign(LinkScheme.EIP712, chain_id=chain_id))


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
def test_one_scheme_is_not_the_other(scheme: LinkScheme) -> None:
    (other,) = set(KEY_SCHEMES) - {scheme}
    refuse(Link(other, 0, sign(scheme).signature))


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
def test_the_other_form_of_a_signature_proves_nothing(scheme: LinkScheme) -> None:
    signature = sign(scheme).signature
    assert signature is not None
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = order - int.from_bytes(signature[32:64], "big")
    refuse(Link(scheme, 0, signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])))


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
@pytest.mark.parametrize("length", [0, 64, 66, 130])
def test_a_keys_signature_has_65_bytes(scheme: LinkScheme, length: int) -> None:
    refuse(Link(scheme, 0, ((sign(scheme).signature or b"") * 2)[:length]))


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
@given(signature=st.binary(max_size=80))
def test_noise_proves_nothing(scheme: LinkScheme, signature: bytes) -> None:
    refuse(Link(scheme, 0, signature))


# --- shapes ---


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("eip1271", 0, bytes(65)), "scheme must be one of"),
        ((None, 0, None), "scheme must be one of"),
        (("EIP712", 0, bytes(65)), "scheme must be one of"),
        (("eip712", 1, bytes(65)), "of no chain"),
        (("eip191", 1, bytes(65)), "of no chain"),
        (("operator", 1, None), "of no chain"),
        (("eip712", -1, bytes(65)), "of no chain"),
        (("eip712", False, bytes(65)), "must be an int, not bool"),
        (("eip712", "0", bytes(65)), "must be an int, not str"),
        (("erc1271", 0, bytes(65)), "needs the id of the chain"),
        (("erc1271", -1, bytes(65)), "needs the id of the chain"),
        (("erc1271", 2**256, bytes(65)), "needs the id of the chain"),
        (("operator", 0, b""), "has no signature"),
        (("operator", 0, bytes(65)), "has no signature"),
        (("eip712", 0, None), "needs a signature"),
        (("eip191", 0, "0x" + "00" * 65), "needs a signature"),
        (("erc1271", 1, None), "needs a signature"),
        (("erc1271", 1, bytes(MAX_SIGNATURE + 1)), "at most 8192 bytes"),
    ],
)
def test_a_link_of_another_shape_cannot_exist(fields: tuple[Any, ...], message: str) -> None:
    with pytest.raises(FieldError, match=message) as refusal:
        Link(*fields)
    assert refusal.value.field == "link"


def test_a_scheme_may_come_as_text_and_a_signature_as_hexbytes() -> None:
    signed = OWNER.unsafe_sign_hash(bytes(32)).signature
    link = Link("eip712", 0, signed)  # type: ignore[arg-type]  # as a column has it
    assert link == Link(LinkScheme.EIP712, 0, bytes(signed))
    assert (type(link.scheme), type(link.signature)) == (LinkScheme, bytes)


@pytest.mark.parametrize("scheme", KEY_SCHEMES)
@pytest.mark.parametrize("account_id", ["", "a\nb", "x" * 256, "0x" + "AB" * 20])
def test_what_is_no_account_id_is_refused_as_that(scheme: LinkScheme, account_id: str) -> None:
    with pytest.raises(FieldError) as refusal:
        check_link(LEDGER_ID, account_id, ADDRESS, sign(scheme))
    assert refusal.value.field == "account_id"


# --- what is signed ---


def test_the_digest_is_the_golden_one() -> None:
    golden = vectors()
    ledger_id, link = Hash32.parse(golden["ledgerId"]), golden["link"]
    address = Address.parse(link["wallet"])
    digest = Hash32.parse(link["digest"])
    assert link_digest(ledger_domain(ledger_id), link["accountId"], address, 0) == digest
    asked = encode_typed_data(full_message=link_typed_data(ledger_id, "alice", address))
    assert eth_keccak(b"\x19" + asked.version + asked.header + asked.body) == digest


def test_signatures_that_were_made_once_prove_for_ever() -> None:
    made = {
        LinkScheme.EIP712: (
            "2cd3e32003fdb2df2aacca7c1b9a2cae6975d6de5adaa5aa88a9f503f0a53b7a"
            "54caa1e10f94fe890e195c8d315f8d55af27f4ba83314a6a97988a76e6dcb2451b"
        ),
        LinkScheme.EIP191: (
            "3d25b4ca1fb4e3c4f58ad4d5ded7a97214ceb3cd1c6f03914b61a1b76131b0bc"
            "11b3b653849d34f24aa24fbbeff711d177063bd0629446206c3249bdd57edab41b"
        ),
    }
    for scheme, signature in made.items():
        link = Link(scheme, 0, bytes.fromhex(signature))
        assert check_link(LEDGER_ID, "alice", ADDRESS, link) == link


@given(hashes, account_ids, addresses, amounts)
def test_the_typed_data_is_the_designs(
    ledger_id: Hash32, account_id: str, address: Address, chain_id: int
) -> None:
    stored = normalize_account_id(account_id)
    ours = link_typed_data(ledger_id, account_id, address, chain_id)
    written = typed_data(stored, str(address), chain_id, ledger_id)
    assert encode_typed_data(full_message=ours) == encode_typed_data(full_message=written)


@given(texts)
def test_the_digest_of_a_text_is_eip_191s(message: str) -> None:
    signable = encode_defunct(text=message)
    written = b"\x19" + signable.version + signable.header + signable.body
    assert message_digest(message) == eth_keccak(written)


def test_the_text_of_an_account() -> None:
    assert link_message(LEDGER_ID, "alice", ADDRESS) == (
        "evm-ledger link, version 1\n"
        "\n"
        "I hold this address. The tokens of this account shall be mine, at this address.\n"
        "\n"
        "Ledger: 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
        "Address: 0x9494488e0f29C3D705439EEA285530aaabf01e69\n"
        "Account: alice"
    )


@pytest.mark.parametrize(
    ("account_id", "shown"),
    [
        ("张三", "张三"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("a\u2028Account: bob", r"a\u2028Account: bob"),
        ("a\u2029b", r"a\u2029b"),
        ("a\u202ebob", r"a\u202ebob"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("\u061c\u200e\u200f", r"\u061c\u200e\u200f"),
        ("\u202d", r"\u202d"),
        ("\u202f", "\u202f"),
        ("a\\u2028b", r"a\u005cu2028b"),
    ],
)
def test_an_id_cannot_look_like_more_lines(account_id: str, shown: str) -> None:
    message = link_message(LEDGER_ID, account_id, ADDRESS)
    assert message.splitlines()[-1] == f"Account: {shown}"
    assert len(message.splitlines()) == 7


def test_what_is_asked_for_names_the_id_as_it_is_stored() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for asked in (link_message, link_typed_data):
        assert asked(LEDGER_ID, decomposed, ADDRESS) == asked(LEDGER_ID, composed, ADDRESS)
        with pytest.raises(FieldError, match="control"):
            asked(LEDGER_ID, "a\nAccount: b", ADDRESS)


@given(hashes, addresses, account_ids)
def test_the_text_can_be_read_back(ledger_id: Hash32, address: Address, account_id: str) -> None:
    message = link_message(ledger_id, account_id, address)
    assert len(message.splitlines()) == 7
    found = re.fullmatch(
        r".*\n\n.*\n\nLedger: (.{66})\nAddress: (.{42})\nAccount: (.*)", message, re.DOTALL
    )
    assert found
    assert (found[1], found[2]) == (str(ledger_id), str(address))
    read = re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), found[3])
    assert read == normalize_account_id(account_id)
