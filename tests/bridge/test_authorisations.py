"""Files of what registrars allow: read strictly, each altered field is refused and named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from bridge.authorisations import (
    MAX_BYTES,
    ClaimAuthorisation,
    DeployAuthorisation,
    dump_authorisation,
    is_signed_by_key,
    parse_authorisation,
    read_authorisation,
    with_signature,
    write_authorisation,
)
from bridge.claims import (
    check_claim,
    own_registrar,
    prepare_claim,
    send_claim,
    sign_authorisation,
)
from bridge.errors import (
    AuthorisationError,
    BridgeError,
    ExportFileError,
    ForeignContractError,
    NoContractError,
    RevertedError,
    TargetExistsError,
)
from bridge.export import export
from bridge.imports import import_ledger
from bridge.live_accounts import check_account, deploy_account, prepare_account
from ledger import Address, Hash32, Ledger
from ledger.formats import FACTORY
from ledger.ids import asset_id
from ledger.model import AssetTerms
from tests.bridge.lives import (
    REGISTRAR,
    REGISTRAR_KEY,
    WALLET,
    claim_of,
    go_live,
    holders,
    later,
    signed,
)
from tests.contracts.people import malleable
from tests.core.golden import vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.authorisations import Authorisation
    from bridge.chain import Chain
    from bridge.keys import Signer

CLAIM = ClaimAuthorisation(
    chain_id=10,
    ledger_id=Hash32(b"\x01" * 32),
    key=Hash32(b"\x02" * 32),
    registrar=REGISTRAR.address,
    deadline=2_000_000_000,
    token=Address(b"\x03" * 20),
    token_version="LedgerToken/1",
    asset=AssetTerms("SCI", "Süße Punkte ☃", 6),
    wallet=WALLET.address,
    nonce=4,
)
DEPLOYMENT = DeployAuthorisation(
    chain_id=10,
    ledger_id=Hash32(b"\x01" * 32),
    key=Hash32(b"\x02" * 32),
    registrar=REGISTRAR.address,
    deadline=2_000_000_000,
    owner=WALLET.address,
)
KINDS = {
    "claim": sign_authorisation(CLAIM, REGISTRAR),
    "deployment": sign_authorisation(DEPLOYMENT, REGISTRAR),
}


def rows(made: Authorisation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dump_authorisation(made))
    return found


def parse(row: object) -> Authorisation:
    return parse_authorisation("it.json", json.dumps(row).encode())


# --- there and back ---


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind: str, tmp_path: Path) -> None:
    made = KINDS[kind]
    write_authorisation(made, tmp_path / "it.json")
    assert read_authorisation(tmp_path / "it.json") == made
    unsigned = replace(made, signature=b"")
    assert parse(rows(unsigned)) == unsigned
    assert made.digest == unsigned.digest


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten_and_what_cannot_be_read_is_said(kind: str, tmp_path: Path) -> None:
    write_authorisation(KINDS[kind], tmp_path / "it.json")
    with pytest.raises(TargetExistsError, match="name another file"):
        write_authorisation(KINDS[kind], tmp_path / "it.json")
    with pytest.raises(BridgeError, match="cannot be written"):
        write_authorisation(KINDS[kind], tmp_path / "no" / "it.json")
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(ExportFileError, match="cannot be read"):
            read_authorisation(path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_wallet_can_sign_it(kind: str) -> None:
    """Typed data as eth-account hashes it is what the contracts recompute from."""
    made = replace(KINDS[kind], signature=b"")
    message = encode_typed_data(full_message=json.loads(json.dumps(made.typed_data())))
    by_wallet = bytes(REGISTRAR_KEY.sign_message(message).signature)
    assert by_wallet == KINDS[kind].signature
    assert is_signed_by_key(with_signature(made, by_wallet))
    old = by_wallet[:64] + bytes([by_wallet[64] - 27])  # as some hardware wallets write v
    assert with_signature(made, old) == KINDS[kind]
    assert Account.recover_message(message, signature=by_wallet) == str(REGISTRAR.address)


def test_the_digest_of_a_claim_is_the_one_of_the_vectors() -> None:
    it = vectors()["claim"]
    made = replace(
        CLAIM,
        chain_id=it["domain"]["chainId"],
        token=Address.parse(it["domain"]["verifyingContract"]),
        asset=AssetTerms("SCI", it["domain"]["name"], 18),
        key=Hash32.parse(it["key"]),
        wallet=Address.parse(it["wallet"]),
        nonce=it["nonce"],
        deadline=it["deadline"],
    )
    assert str(made.digest) == it["digest"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_that_is_not_the_registrars_keys(kind: str) -> None:
    made = KINDS[kind]
    other = WALLET.sign_digest(made.digest)
    for signature in (other, malleable(made.signature), made.signature[:64], b"\x01" * 8_192):
        assert not is_signed_by_key(with_signature(made, signature))
        assert with_signature(made, signature).signature == signature
    for signature in (b"", b"\x01" * 8_193):
        with pytest.raises(AuthorisationError, match="signature: must have 1"):
            with_signature(made, signature)
    with pytest.raises(AuthorisationError, match="registrar: is "):
        sign_authorisation(made, WALLET)


# --- hostile files ---

OTHER = "0x" + "77" * 32
ALTERED: dict[str, tuple[object, str]] = {
    "kind": ("evm-ledger/claim/2", "kind: must be"),
    "chain_id": (1, "digest: is not what the fields make"),
    "ledger_id": (OTHER, "account.address: must be"),
    "account.address": (str(WALLET.address), "account.address: must be"),
    "account.key": (OTHER, "account.address: must be"),
    "account.registrar": (str(WALLET.address), "account.address: must be"),
    "token": (str(WALLET.address), "digest: is not"),
    "asset.name": ("Other", "digest: is not"),
    "wallet": (str(REGISTRAR.address), "digest: is not"),
    "owner": (str(REGISTRAR.address), "digest: is not"),
    "nonce": (5, "digest: is not"),
    "deadline": (2_000_000_001, "digest: is not"),
    "digest": (OTHER, "digest: is not"),
}
"""What is found without a chain; symbol, decimals and version are compared with the token."""

WRONG: dict[str, list[object]] = {
    "kind": [None, 1, "", "evm-ledger/entry-proof/1", []],
    "chain_id": [None, -1, "10", 1.5, True, 2**63],
    "ledger_id": [None, "", "0x12", "0x" + "AB" * 32, 7],
    "account": [None, [], "x", {}],
    "account.address": [None, str(REGISTRAR.address).lower(), "0x12"],
    "account.key": [None, "0x" + "22" * 31, "0X" + "22" * 32],
    "account.registrar": [None, "0x" + "00" * 20, str(REGISTRAR.address).lower()],
    "token": [None, "0x12", str(WALLET.address).lower()],
    "token_version": [None, 1],
    "asset": [None, [], "SCI"],
    "asset.symbol": [None, "", "x" * 65, 1],
    "asset.name": [None, 1, "x" * 300],
    "asset.decimals": [None, -1, 256, "6", 6.0],
    "wallet": [None, "0x" + "00" * 20, "0x12", str(WALLET.address).lower()],
    "owner": [None, "0x" + "00" * 20, "0x12"],
    "nonce": [None, -1, "4", 4.0, True],
    "deadline": [None, -1, "soon", 2**63, 1e9],
    "digest": [None, "", "0x12"],
    "signature": ["", "0x", "12", "0xAB", "0x1", "0x" + "11" * 8_193, 5, []],
}


def fields(made: Authorisation) -> list[str]:
    row = rows(made)
    inner = [f"{name}.{it}" for name, value in row.items() if type(value) is dict for it in value]
    return [*row, *inner]


def put(row: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    """Return a copy with one field set, which may be inside another."""
    copy = json.loads(json.dumps(row))
    *outer, name = field.split(".")
    (copy[outer[0]] if outer else copy)[name] = value
    assert isinstance(copy, dict)
    return copy


def drop(row: dict[str, Any], field: str) -> dict[str, Any]:
    copy = put(row, field, None)
    *outer, name = field.split(".")
    del (copy[outer[0]] if outer else copy)[name]
    return copy


CASES = [(kind, field) for kind, made in KINDS.items() for field in fields(made)]


@pytest.mark.parametrize(("kind", "field"), CASES)
def test_each_field_that_is_missing_or_wrong_is_named(kind: str, field: str) -> None:
    row = rows(KINDS[kind])
    with pytest.raises(ExportFileError) as refused:
        parse(drop(row, field))
    assert refused.value.field == field
    for value in WRONG[field]:
        with pytest.raises(ExportFileError) as refused:
            parse(put(row, field, value))
        named = refused.value.field or ""
        assert named.startswith(field) or named == field.rsplit(".", maxsplit=1)[-1], value


@pytest.mark.parametrize(("kind", "field"), [it for it in CASES if it[1] in ALTERED], ids=str)
def test_each_field_that_was_altered_is_refused(kind: str, field: str) -> None:
    value, says = ALTERED[field]
    with pytest.raises(ExportFileError, match=says):
        parse(put(rows(KINDS[kind]), field, value))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_none(kind: str) -> None:
    text = dump_authorisation(KINDS[kind]).encode()
    row = rows(KINDS[kind])
    wrong = {
        b"": "is not JSON",
        b"[]": "is not an object",
        b"null": "is not an object",
        b"[" * 5_000: "is not JSON",
        text[:-4]: "is not JSON",
        b"\xff" + text: "is not JSON",
        text + b" " * MAX_BYTES: "is larger than",
        text.replace(b'"deadline": 2000000000', b'"deadline": NaN'): "NaN",
        text.replace(b'"deadline"', b'"chain_id": 10, "deadline"'): "twice",
        json.dumps({**row, "more": 1}).encode(): "more: is unknown",
        json.dumps(dict(reversed(row.items()))).encode(): "fields must be in the order",
    }
    for found, says in wrong.items():
        with pytest.raises(ExportFileError, match=says):
            parse_authorisation("it.json", found)


@given(st.data())
def test_no_byte_of_a_signed_file_can_be_altered_unnoticed(data: st.DataObject) -> None:
    """It is refused, or signed by nobody, or says the same in another form (spaces), or is not of
    what is signed: the symbol, decimals and version, which are compared with the token."""
    made = data.draw(st.sampled_from(list(KINDS.values())))
    text = bytearray(dump_authorisation(made).encode())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_authorisation("it.json", bytes(text))
    except ExportFileError:
        return
    if found == made or not is_signed_by_key(found):
        return
    assert isinstance(found, ClaimAuthorisation)
    assert isinstance(made, ClaimAuthorisation)
    terms = replace(found.asset, symbol=made.asset.symbol, decimals=made.asset.decimals)
    assert replace(found, asset=terms, token_version=made.token_version) == made


# --- what only the chain can tell ---


@pytest.fixture
def book(sqlite_url: str) -> Iterator[Ledger]:
    """Return a sealed ledger whose registrar is a key of its own."""
    with holders(sqlite_url) as ledger:
        yield ledger


def test_what_the_chain_tells_of_a_claim(book: Ledger, chain: Chain, signer: Signer) -> None:
    token = go_live(book, chain, signer)
    claim = claim_of(book, chain, "alice", WALLET.address)

    def refused(made: ClaimAuthorisation, says: str, kind: type[BridgeError]) -> None:
        block = chain.block()
        with pytest.raises(kind, match=says):
            send_claim(book, chain, signer, made)
        assert chain.block() == block

    def again(**changes: object) -> ClaimAuthorisation:
        found: ClaimAuthorisation = signed(replace(claim, **changes))  # type: ignore[arg-type]  # by name
        return found

    terms = claim.asset
    cases: list[tuple[ClaimAuthorisation, str, type[BridgeError]]] = [
        (claim, "signature: is missing", AuthorisationError),
        (replace(claim, signature=b"\x01"), "is not by the registrar", AuthorisationError),
        (again(chain_id=1), "chain_id: is 1, and .* serves 31337", AuthorisationError),
        (again(deadline=5), "deadline: 5 has passed", AuthorisationError),
        (again(nonce=3), "nonce: is 3, and the account's next is 0: sign it", AuthorisationError),
        (again(key=Hash32(b"\x09" * 32)), "account: .* holds nothing", AuthorisationError),
        (again(token=WALLET.address), "no contract at", NoContractError),
        (again(token=FACTORY),
         "is not this ledger's token", ForeignContractError),
        (again(ledger_id=Hash32(b"\x09" * 32)), "is not this ledger's token", ForeignContractError),
        (again(asset=replace(terms, symbol="BTC")), "is not this ledger's", ForeignContractError),
        (again(asset=replace(terms, decimals=18)), "is not this ledger's", ForeignContractError),
    ]  # fmt: skip
    for made, says, kind in cases:
        refused(made, says, kind)
    assert asset_id(terms) == book.asset().id
    assert check_claim(chain, signed(claim)) == 800
    assert send_claim(book, chain, signer, signed(claim)).token == token
    refused(again(deadline=later(chain, 9)), "it was claimed from meanwhile", AuthorisationError)


def test_a_version_that_is_not_the_tokens(book: Ledger, chain: Chain, signer: Signer) -> None:
    go_live(book, chain, signer)
    claim = replace(claim_of(book, chain, "alice", WALLET.address), token_version="LedgerToken/9")
    with pytest.raises(Exception, match="LedgerToken/9"):
        check_claim(chain, signed(claim))


def test_a_claim_that_the_contract_refuses_all_the_same(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    """It came too late by the time of the next block: the contract's error is told by name."""
    go_live(book, chain, signer)
    claim = signed(claim_of(book, chain, "alice", WALLET.address, chain.block().timestamp))
    chain.request("evm_setNextBlockTimestamp", chain.block().timestamp + 50)
    with pytest.raises((RevertedError, AuthorisationError), match=r"Expired|has passed"):
        send_claim(book, chain, signer, claim)


def test_what_the_chain_tells_of_a_deployment(book: Ledger, chain: Chain, signer: Signer) -> None:
    made = prepare_account(
        book, "alice", WALLET.address, chain_id=chain.chain_id, deadline=later(chain)
    )
    with pytest.raises(NoContractError, match="no AccountFactory"):
        check_account(chain, signed(made))
    go_live(book, chain, signer)
    cases: list[tuple[DeployAuthorisation, str]] = [
        (made, "signature: is missing"),
        (replace(made, signature=b"\x01" * 65), "signature: is not by the registrar"),
        (signed(replace(made, chain_id=1)), "chain_id: is 1"),
        (signed(replace(made, deadline=5)), "deadline: 5 has passed"),
    ]
    for wrong, says in cases:
        with pytest.raises(AuthorisationError, match=says):
            deploy_account(book, chain, signer, wrong)
    done = deploy_account(book, chain, signer, signed(made))
    again = deploy_account(book, chain, signer, signed(made))
    assert (again.was_deployed, again.transaction) == (True, done.transaction)
    with pytest.raises(AuthorisationError, match="is deployed"):
        deploy_account(book, chain, signer, signed(replace(made, deadline=later(chain, 9))))


# --- what is not prepared ---


@pytest.mark.parametrize(
    "wallet",
    [
        "0x0000000000000000000000000000000000000000",
        "0x0000000000000000000000000000000000000009",
        "0x4e59b44847b379578588920cA78FbF26c0B4956C",
        "0x4e340797EC185E74d64BbaB4238b2bA2a86E842D",
        "token",
        "account",
    ],
)
def test_a_wallet_that_would_lose_it(book: Ledger, wallet: str) -> None:
    claim = prepare_claim(book, "alice", WALLET.address, chain_id=31_337, deadline=1)
    known = {"token": claim.token, "account": claim.account}
    target = known.get(wallet) or Address.parse(wallet)
    with pytest.raises(AuthorisationError, match="wallet: 0x"):
        prepare_claim(book, "alice", target, chain_id=31_337, deadline=1)
    if wallet != "token":
        with pytest.raises(AuthorisationError, match="owner: 0x"):
            prepare_account(book, "alice", target, chain_id=31_337, deadline=1)


def test_an_account_that_has_no_registrar(book: Ledger) -> None:
    own = str(WALLET.address).lower()
    with pytest.raises(AuthorisationError, match="its owner's own address"):
        prepare_claim(book, own, REGISTRAR.address, chain_id=31_337, deadline=1)
    with pytest.raises(AuthorisationError, match="its owner's own address"):
        prepare_account(book, own, REGISTRAR.address, chain_id=31_337, deadline=1)


def test_an_export_is_enough_to_prepare_a_claim(book: Ledger, tmp_path: Path) -> None:
    """Years later, the database is gone: an export has all but the registrar's key."""
    folder = export(book, tmp_path / "export").path

    def digests(ledger: Ledger) -> list[Hash32]:
        to, chain_id = WALLET.address, 31_337
        claim = prepare_claim(ledger, "alice", to, chain_id=chain_id, deadline=1)
        account = prepare_account(ledger, "bob", to, chain_id=chain_id, deadline=1)
        return [claim.digest, account.digest]

    with import_ledger(folder, f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert digests(copy) == digests(book)
        there = prepare_claim(copy, "alice", WALLET.address, chain_id=31_337, deadline=1)
        with pytest.raises(AuthorisationError, match="is not this ledger's own key"):
            own_registrar(copy, there)


def test_a_token_without_an_address(book: Ledger) -> None:
    with pytest.raises(NoContractError, match="has no operator"):
        prepare_claim(book, "alice", WALLET.address, chain_id=10, deadline=1)
    book.set_operator("SCI", WALLET.address)
    claims = [
        prepare_claim(book, "alice", REGISTRAR.address, chain_id=it, deadline=1)
        for it in (10, 31_337)
    ]
    assert claims[0].token == claims[1].token
    assert claims[0].digest != claims[1].digest
