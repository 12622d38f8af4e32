"""Proofs beside the chain that replayed the same ledger, and beside chains that did not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.artifacts import token_address
from bridge.deploy import deploy
from bridge.errors import (
    BridgeError,
    ChainError,
    ForeignContractError,
    NoContractError,
    ProofError,
)
from bridge.proof_anchors import OnChain, _check_balance, _folded, check_on_chain
from bridge.proof_checks import check_proof
from bridge.proving import BalanceTree, prove_consistency, prove_entry
from bridge.replay import replay
from bridge.tokens import on_chain, read_batches, read_token_at
from ledger.ids import batch_id, seal_id
from ledger.model import Address, Hash32
from tests.contracts.chain import deploy as deploy_artifact
from tests.contracts.test_entry_proof import words

if TYPE_CHECKING:
    from bridge.chain import Chain
    from bridge.keys import Signer
    from bridge.proofs import EntryProof
    from ledger import Ledger
    from tests.support.nodes import Node

STRANGER = Address(b"\x12" * 20)


def token_of(book: Ledger, chain: Chain, symbol: str = "SCI") -> Address:
    """Return where the token lies."""
    address = token_address(book.identity.ledger_id, on_chain(chain, book.asset(symbol)))
    assert address is not None
    return address


@pytest.fixture
def replayed(book: Ledger, any_chain: Chain, signer: Signer) -> Address:
    """Return the token of SCI, everything replayed, on each kind of node."""
    deploy(book, any_chain, signer)
    replay(book, any_chain, signer)
    return token_of(book, any_chain)


def test_every_entry_is_on_the_chain_and_in_its_contract(
    book: Ledger, any_chain: Chain, replayed: Address, node: Node
) -> None:
    contract = deploy_artifact(node, "EntryProof")
    for entry in book.entries("SCI"):
        for seal in (None, book.last_seal()):
            proof = prove_entry(book, entry.id, seal=seal)
            found = check_on_chain(any_chain, check_proof(proof), replayed)
            assert isinstance(found, OnChain)
            assert found.token == replayed
            receipt = node.rpc("eth_getTransactionReceipt", str(found.transaction))
            assert int(receipt["blockNumber"], 16) == found.block_number
            assert is_replayed(contract, proof, found)
            assert not is_replayed(contract, proof, replace(found, prev_history=found.transaction))


def is_replayed(contract: object, proof: EntryProof, found: OnChain) -> bool:
    """Ask the contract EntryProof, with what the comparison with the chain gave."""
    answer: bool = contract.call(  # type: ignore[attr-defined]  # a Contract
        "isReplayed",
        str(found.token),
        proof.entry,
        words(proof.evidence.batch),
        proof.path,
        found.prev_history,
        found.later,
    )
    return answer


def test_every_balance_is_the_tokens_after_its_batch(
    book: Ledger, any_chain: Chain, replayed: Address
) -> None:
    for seal in (1, 2):
        tree = BalanceTree(book, "SCI", seal=seal, chain_id=any_chain.chain_id, token=replayed)
        for account in book.accounts():
            if account.address in {it.account for it in tree.leaves}:
                proved = check_proof(tree.prove(account.account_id))
                assert check_on_chain(any_chain, proved, replayed).token == replayed


def test_growth_is_that_of_the_chain(book: Ledger, any_chain: Chain, replayed: Address) -> None:
    proved = check_proof(prove_consistency(book, 1, 2, "SCI"))
    found = check_on_chain(any_chain, proved, replayed)
    assert found.block_number <= any_chain.block().number
    assert found.later == ()


@pytest.fixture
def token(book: Ledger, chain: Chain, signer: Signer) -> Address:
    """Return the token of SCI, everything replayed, on Anvil."""
    deploy(book, chain, signer)
    replay(book, chain, signer)
    return token_of(book, chain)


def test_a_balance_of_another_chain_or_token(book: Ledger, chain: Chain, token: Address) -> None:
    for chain_id, its, says in (
        (1, token, "the leaf's chain id"),
        (chain.chain_id, STRANGER, "the leaf's token"),
        (None, None, "the leaf's chain id"),
    ):
        proof = BalanceTree(book, "SCI", chain_id=chain_id, token=its).prove("alice")
        with pytest.raises(ProofError, match=says):
            check_on_chain(chain, check_proof(proof), token)


def test_a_balance_that_the_token_has_not(book: Ledger, chain: Chain, token: Address) -> None:
    proof = BalanceTree(book, "SCI", chain_id=chain.chain_id, token=token).prove("alice")
    leaf = replace(proof.leaf, balance=proof.leaf.balance + 1)
    forged = replace(check_proof(proof), proof=replace(proof, leaf=leaf))
    with pytest.raises(ProofError, match="the balance in block"):
        check_on_chain(chain, forged, token)


def test_a_root_that_the_operator_never_stated(book: Ledger, chain: Chain, token: Address) -> None:
    # Another history of the same length: an entry has another amount, all else recomputes.
    proof = prove_entry(book, next(book.entries("SCI")).id, private=True)
    domain = book.identity.domain
    batch = replace(proof.evidence.batch, tree_root=Hash32(b"\x01" * 32))
    [stated] = proof.evidence.seals
    seal = replace(stated.seal, batches=(batch_id(domain, batch),))
    seals = (replace(stated, seal=seal, id=seal_id(domain, seal)),)
    evidence = replace(proof.evidence, batch=batch, batch_id=seal.batches[0], seals=seals)
    proved = check_proof(proof)
    [anchor] = proved.anchors
    forged = replace(
        proved,
        proof=replace(proof, evidence=evidence),
        anchors=(anchor._replace(batch=batch, batch_id=seal.batches[0]),),
    )
    with pytest.raises(ProofError, match="the root after entry 14"):
        check_on_chain(chain, forged, token)


def test_another_contract_is_not_believed(book: Ledger, chain: Chain, token: Address) -> None:
    proved = check_proof(prove_entry(book, next(book.entries("SCI")).id))
    with pytest.raises(NoContractError):
        check_on_chain(chain, proved, STRANGER)
    with pytest.raises(ForeignContractError):
        check_on_chain(chain, proved, token_of(book, chain, "GOLD"))
    code = bytearray(chain.code(token, chain.block()))
    code[-1] ^= 1
    chain.request("anvil_setCode", str(token), "0x" + code.hex())
    with pytest.raises(ForeignContractError, match="other code"):
        check_on_chain(chain, proved, token)


def test_what_is_not_replayed_yet_or_was_cut_otherwise(
    book: Ledger, chain: Chain, token: Address, signer: Signer
) -> None:
    book.mint("alice", 1, asset="SCI")
    book.seal()
    entry = next(book.entries("SCI"))
    proved = check_proof(prove_entry(book, entry.id, seal=3))
    with pytest.raises(BridgeError, match="the chain has 15 entries, the proof is up to 16"):
        check_on_chain(chain, proved, token)
    replay(book, chain, signer)
    assert check_on_chain(chain, proved, token).later == ()
    [anchor] = proved.anchors
    elsewhere = anchor._replace(batch=replace(anchor.batch, last_seq=3))
    with pytest.raises(BridgeError, match="no batch of the chain ends with entry 3"):
        check_on_chain(chain, replace(proved, anchors=(elsewhere,)), token)


def test_two_batches_in_one_block(book: Ledger, chain: Chain, token: Address) -> None:
    # No block has the balances between them.
    tree = BalanceTree(book, "SCI", seal=1, chain_id=chain.chain_id, token=token)
    proof = tree.prove("alice")
    assert check_on_chain(chain, check_proof(proof), token).token == token
    at = chain.block()
    asset = on_chain(chain, book.asset("SCI"))
    found = read_token_at(chain, book.identity.ledger_id, asset, token, at)
    first, second = read_batches(chain, found, at)
    together = replace(second, place=first.place)
    with pytest.raises(BridgeError, match="has a later batch too"):
        _check_balance(chain, proof, found, first, [first, together])


def test_logs_that_do_not_make_the_history(book: Ledger, chain: Chain, token: Address) -> None:
    proof = prove_entry(book, next(book.entries("SCI")).id)
    at = chain.block()
    asset = on_chain(chain, book.asset("SCI"))
    found = read_token_at(chain, book.identity.ledger_id, asset, token, at)
    first, second = read_batches(chain, found, at)
    lie = Hash32(b"\x01" * 32)
    for events in (
        [],
        [first],
        [second],
        [second, first],
        [replace(first, tree_root=lie), second],
        [first, replace(second, payload_hash=lie)],
        [first, replace(second, last_seq=99)],
        [first, second, second],
        [replace(first, history=second.history), second],
    ):
        with pytest.raises(ChainError, match="do not make its history"):
            _folded(chain, proof, found, events)
    assert len(_folded(chain, proof, found, [first, second])) == 2
