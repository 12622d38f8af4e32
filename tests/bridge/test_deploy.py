"""Deployment: idempotent, whoever is first; refused where it would be a trap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.artifacts import factory_creation, token_creation
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import CustodyError, ForeignContractError, NoContractError
from bridge.imports import import_ledger
from bridge.tokens import on_chain, read_token
from ledger import Ledger
from ledger.addresses import DEPLOYMENT_PROXY
from ledger.formats import ACCOUNT_INIT_CODE_HASH, FACTORY
from ledger.model import Address
from tests.bridge.histories import PEPPER, fund, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from tests.conftest import StartNode

OTHER_OPERATOR = Address(b"\x42" * 20)


@pytest.fixture
def other_book(tmp_path: Path) -> Iterator[Ledger]:
    """Return another ledger with an asset of the same terms."""
    with Ledger.create(f"sqlite:///{tmp_path / 'other.db'}", pepper=PEPPER) as ledger:
        ledger.create_asset("SCI", "SCI token", 18)
        yield ledger


def test_everything_is_deployed_once(book: Ledger, any_chain: Chain, signer: Signer) -> None:
    first = deploy(book, any_chain, signer)
    assert first.factory.address == FACTORY == factory_creation().address
    assert [token.name for token in first.tokens] == ["SCI", "GOLD"]
    assert all(token.is_new for token in first.tokens)
    assert first.gas_used > 0
    nonce = any_chain.next_nonce(signer.address)
    second = deploy(book, any_chain, signer)
    assert [t.address for t in second.tokens] == [t.address for t in first.tokens]
    assert not any(token.is_new for token in second.tokens)
    assert second.gas_used == 0
    assert any_chain.next_nonce(signer.address) == nonce


def test_tokens_say_whose_they_are(book: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(book, chain, signer)
    for asset in book.assets():
        token = read_token(chain, book.identity, asset, chain.block())
        there = token_creation(book.identity.ledger_id, on_chain(chain, asset))
        assert token.address == there.address
        assert (token.last_seq, token.batches, token.total_supply) == (0, 0, 0)
        assert token.history == token.head
        assert token.operator == signer.address
        assert not token.live


def test_an_operator_that_was_set_stays(book: Ledger, chain: Chain, signer: Signer) -> None:
    book.set_operator("SCI", OTHER_OPERATOR)
    deploy(book, chain, signer)
    token = read_token(chain, book.identity, book.asset("SCI"), chain.block())
    assert token.operator == OTHER_OPERATOR


def test_somebody_else_may_deploy_first(book: Ledger, chain: Chain, signer: Signer) -> None:
    book.set_operator("GOLD", signer.address)
    creation = token_creation(book.identity.ledger_id, book.asset("GOLD"))
    stranger = chain.request("eth_accounts")[3]
    data = "0x" + (creation.salt + creation.code).hex()
    call = {"from": stranger, "to": str(DEPLOYMENT_PROXY), "data": data, "gas": hex(5_000_000)}
    chain.request("eth_sendTransaction", call)
    report = deploy(book, chain, signer)
    assert [token.is_new for token in report.tokens] == [True, False]


def test_nothing_deployed_is_said_so(book: Ledger, chain: Chain, signer: Signer) -> None:
    with pytest.raises(NoContractError, match="chain deploy"):
        read_token(chain, book.identity, book.asset("SCI"), chain.block())
    asset = book.set_operator("SCI", signer.address)
    with pytest.raises(NoContractError, match="no contract at 0x"):
        read_token(chain, book.identity, asset, chain.block())


def test_another_ledgers_token_is_refused(
    book: Ledger, other_book: Ledger, chain: Chain, signer: Signer
) -> None:
    (theirs,) = deploy(other_book, chain, signer).tokens
    code = "0x" + chain.code(theirs.address, chain.block()).hex()
    asset = book.set_operator("SCI", signer.address)
    own = token_creation(book.identity.ledger_id, asset).address
    chain.request("anvil_setCode", str(own), code)
    with pytest.raises(ForeignContractError, match="ledgerId"):
        read_token(chain, book.identity, asset, chain.block())
    with pytest.raises(ForeignContractError, match="ledgerId"):
        deploy(book, chain, signer)


@pytest.mark.parametrize("code", ["0x00", "0x60006000fd", "0x60206000f3"])
def test_any_other_code_is_refused(book: Ledger, chain: Chain, signer: Signer, code: str) -> None:
    asset = book.set_operator("SCI", signer.address)
    own = token_creation(book.identity.ledger_id, asset).address
    chain.request("anvil_setCode", str(own), code)
    with pytest.raises(ForeignContractError):
        read_token(chain, book.identity, asset, chain.block())


def test_one_changed_byte_of_code_is_refused(book: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(book, chain, signer)
    asset = on_chain(chain, book.asset("SCI"))
    own = token_creation(book.identity.ledger_id, asset).address
    code = bytearray(chain.code(own, chain.block()))
    code[-1] ^= 1
    chain.request("anvil_setCode", str(own), "0x" + code.hex())
    with pytest.raises(ForeignContractError, match="other code"):
        read_token(chain, book.identity, asset, chain.block())


def test_other_code_in_place_of_the_factory_is_refused(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    chain.request("anvil_setCode", str(FACTORY), "0x6001")
    with pytest.raises(ForeignContractError, match="AccountFactory"):
        deploy(book, chain, signer)


def test_a_public_chain_needs_a_registrar_outside_the_database(
    book: Ledger, exported: Path, start_anvil: StartNode, owner: Signer, tmp_path: Path
) -> None:
    node = start_anvil("--chain-id", "5")
    with Chain.connect(node.url) as public:
        fund(public, owner)
        with pytest.raises(CustodyError, match="allow-own-registrar"):
            deploy(book, public, owner)
        assert book.asset("SCI").operator is None
        assert deploy(book, public, owner, allow_own_registrar=True).chain_id == 5
        url = f"sqlite:///{tmp_path / 'cold.db'}"
        with Ledger.create(url, registrar=OTHER_OPERATOR) as cold:
            cold.create_asset("SCI", "SCI token")
            cold.create_account("alice")
            assert deploy(cold, public, owner).chain_id == 5
        with (
            import_ledger(exported, f"sqlite:///{tmp_path / 'blind.db'}") as blind,
            pytest.raises(CustodyError, match="pepper"),
        ):
            deploy(blind, public, owner)


def test_the_constants_are_those_of_the_contracts(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    deploy(book, chain, signer)
    found = chain.call(FACTORY, bytes.fromhex("db4c545e"))  # initCodeHash()
    assert found == ACCOUNT_INIT_CODE_HASH


def test_a_token_address_commits_to_every_argument(book: Ledger, tmp_path: Path) -> None:
    with small_ledger(f"sqlite:///{tmp_path / 'twin.db'}") as twin:
        seen = set()
        for operator in (OTHER_OPERATOR, Address(b"\x43" * 20)):
            ledger = book if operator == OTHER_OPERATOR else twin
            for symbol in ("SCI", "GOLD"):
                asset = ledger.set_operator(symbol, operator)
                seen.add(token_creation(ledger.identity.ledger_id, asset).address)
                seen.add(token_creation(asset.id, asset).address)
        assert len(seen) == 8
