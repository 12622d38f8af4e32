"""Our standard tree beside OpenZeppelin's: their JavaScript and their Solidity check it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bridge.oz_tree import StandardTree, leaf_hash, node_hash, root_of
from bridge.proof_checks import check_proof
from bridge.proofs import BALANCE_TYPES, BalanceLeaf
from bridge.proving import BalanceTree
from ledger import FieldError, Ledger
from ledger.amounts import MAX_AMOUNT
from ledger.hashing import keccak
from ledger.model import Address, Hash32
from tests.bridge.openzeppelin import checker, trees
from tests.core.strategies import addresses, amounts, hashes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.nodes import Node

leaves = st.builds(BalanceLeaf, addresses, amounts, addresses, amounts, hashes)
SIZES = (*range(1, 18), 31, 32, 33, 100)


def some_leaves(count: int) -> list[BalanceLeaf]:
    """Return leaves as a ledger has them; the largest numbers among them."""
    dice = random.Random(count)
    token, batch = Address(b"\x70" * 20), Hash32(b"\xba" * 32)
    balances = [0, MAX_AMOUNT, *(dice.getrandbits(256) for _ in range(count))]
    return [
        BalanceLeaf(Address(dice.randbytes(20)), balances[place], token, MAX_AMOUNT - place, batch)
        for place in range(count)
    ]


def tree_of(values: list[BalanceLeaf]) -> StandardTree:
    return StandardTree.of(value.encoded() for value in values)


@given(leaves)
def test_a_leaf_is_encoded_as_solidity_does(leaf: BalanceLeaf) -> None:
    words = [leaf.account, leaf.balance, leaf.token, leaf.chain_id, leaf.batch_id]
    assert leaf.encoded() == encode(BALANCE_TYPES, words)


@given(st.lists(leaves, min_size=1, max_size=12))
def test_every_proof_leads_to_the_root_and_no_other(values: list[BalanceLeaf]) -> None:
    tree = tree_of(values)
    for position, value in enumerate(values):
        proof = tree.proof(position)
        leaf = leaf_hash(value.encoded())
        assert root_of(leaf, proof) == tree.root
        for place in range(len(proof)):
            shorter = proof[:place] + proof[place + 1 :]
            assert root_of(leaf, shorter) != tree.root
            turned = bytes([proof[place][0] ^ 1]) + proof[place][1:]
            assert root_of(leaf, (*proof[:place], turned, *proof[place + 1 :])) != tree.root
        assert root_of(leaf, (*proof, tree.root)) != tree.root


def test_javascript_makes_the_same_trees(tmp_path: Path) -> None:
    made = [some_leaves(count) for count in SIZES]
    asked: list[dict[str, Any]] = [
        {
            "types": BALANCE_TYPES,
            "values": [value.texts() for value in values],
            "dump": tree_of(values).dump(BALANCE_TYPES, [value.texts() for value in values]),
        }
        for values in made
    ]
    for values, question, answer in zip(made, asked, trees(asked, tmp_path), strict=True):
        tree = tree_of(values)
        assert answer["root"] == answer["loaded"] == "0x" + tree.root.hex()
        assert answer["dump"] == answer["again"]
        assert answer["dump"]["tree"] == question["dump"]["tree"]
        assert [it["treeIndex"] for it in answer["dump"]["values"]] == list(tree.places)
        for position, proof in enumerate(answer["proofs"]):
            assert proof == ["0x" + node.hex() for node in tree.proof(position)]


def test_equal_values_keep_their_places_as_in_javascript(tmp_path: Path) -> None:
    one, other = some_leaves(2)
    values = [one, other, one, one, other]
    [answer] = trees(
        [{"types": BALANCE_TYPES, "values": [value.texts() for value in values]}], tmp_path
    )
    tree = tree_of(values)
    assert [it["treeIndex"] for it in answer["dump"]["values"]] == list(tree.places)
    assert answer["root"] == "0x" + tree.root.hex()


def test_javascript_checks_the_proofs_of_a_ledger(book: Ledger, tmp_path: Path) -> None:
    asked = []
    for symbol in ("SCI", "GOLD"):
        tree = BalanceTree(book, symbol, chain_id=1)
        holders = {it.account for it in tree.leaves}
        accounts = [it.account_id for it in book.accounts() if it.address in holders]
        proofs = [tree.prove(account_id) for account_id in accounts]
        assert [check_proof(proof).roots for proof in proofs] == [(tree.root,)] * len(proofs)
        good = [
            {
                "root": str(proof.root),
                "value": proof.leaf.texts(),
                "proof": [str(node) for node in proof.path],
            }
            for proof in proofs
        ]
        more = [{**it, "value": ["0x" + "11" * 20, *it["value"][1:]]} for it in good]
        less = [{**it, "proof": it["proof"][:-1]} for it in good]
        dump = json.loads(tree.dump())
        asked.append({"types": BALANCE_TYPES, "dump": dump, "checks": good + more + less})
    for question, answer in zip(asked, trees(asked, tmp_path), strict=True):
        count = len(question["checks"]) // 3
        assert count > 1
        assert answer["checks"] == [True] * count + [False] * 2 * count
        assert answer["again"] == question["dump"]


def test_javascript_refuses_a_dump_that_was_altered(book: Ledger, tmp_path: Path) -> None:
    tree = BalanceTree(book, "SCI")
    asked = []
    for place in range(len(tree.tree.nodes)):
        dump = json.loads(tree.dump())
        dump["tree"][place] = "0x" + keccak(b"x").hex()
        asked.append({"types": BALANCE_TYPES, "dump": dump})
    for value in range(len(tree.leaves)):
        dump = json.loads(tree.dump())
        dump["values"][value]["value"][1] = "1"
        asked.append({"types": BALANCE_TYPES, "dump": dump})
    answers = trees(asked, tmp_path)
    assert [it["loaded"][:8] for it in answers[: len(tree.tree.nodes)]] == ["refused:"] * len(
        tree.tree.nodes
    )
    assert all(it["loaded"].startswith("refused:") for it in answers)


def test_solidity_checks_the_proofs(node: Node) -> None:
    contract = checker(node)
    for count in (1, 2, 3, 7, 12):
        values = some_leaves(count)
        tree = tree_of(values)
        for position, value in enumerate(values):
            leaf, proof = leaf_hash(value.encoded()), tree.proof(position)
            words = (value.account, value.balance, value.token, value.chain_id, value.batch_id)
            assert contract.call("leafOf", *words) == leaf
            assert contract.call("verify", proof, tree.root, leaf) is True
            assert contract.call("verify", (*proof, tree.root), tree.root, leaf) is False
            assert contract.call("verify", proof, keccak(tree.root), leaf) is False
            if proof:
                assert contract.call("verify", proof[1:], tree.root, leaf) is False


def test_an_inner_node_passes_for_no_value() -> None:
    # An inner node is keccak of 64 bytes, a leaf keccak of 32 that are a hash themselves.
    values = some_leaves(8)
    tree = tree_of(values)
    inner, path = tree.nodes[3], (tree.nodes[4], tree.nodes[2])
    assert root_of(inner, path) == tree.root  # nodes fold; what cannot be is a value of them
    children = b"".join(sorted(tree.nodes[7:9]))
    assert keccak(children) == inner
    assert leaf_hash(children) not in tree.nodes
    assert {len(value.encoded()) for value in values} == {160}


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_node_has_32_bytes(size: int) -> None:
    for leaf, proof in ((bytes(size), ()), (bytes(32), (bytes(size),))):
        with pytest.raises(FieldError, match="not 32"):
            root_of(leaf, proof)


def test_nodes_that_share_their_bytes_otherwise() -> None:
    one, other = keccak(b"1"), keccak(b"2")
    assert root_of(one, (other,)) == node_hash(other, one)
    with pytest.raises(FieldError):
        root_of(one[:31], (one[31:] + other,))


def test_a_tree_has_a_leaf() -> None:
    with pytest.raises(FieldError, match="at least one leaf"):
        StandardTree.of([])
    tree = tree_of(some_leaves(1))
    assert tree.proof(0) == ()
    for position in (-1, 1):
        with pytest.raises(FieldError, match="is outside"):
            tree.proof(position)


def test_a_large_tree(tmp_path: Path) -> None:
    values = some_leaves(20_000)
    tree = tree_of(values)
    checks = [
        {
            "root": "0x" + tree.root.hex(),
            "value": values[position].texts(),
            "proof": ["0x" + node.hex() for node in tree.proof(position)],
        }
        for position in range(0, 20_000, 1_999)
    ]
    [answer] = trees([{"types": BALANCE_TYPES, "checks": checks}], tmp_path)
    assert answer["checks"] == [True] * len(checks)
