"""EntryProof beside the library: the same ids, the same answers, for proofs good and bad."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from ledger import ids
from ledger.encoding import ledger_domain
from ledger.hashing import keccak
from ledger.merkle import (
    consistency_proof,
    empty_root,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from ledger.model import Address, AssetTerms, Batch, EntryWords, Hash32, Record
from ledger.payload import encode_payload
from tests.contracts.chain import Contract, deploy
from tests.contracts.people import ALICE, BOB, OPERATOR
from tests.contracts.token import LEDGER_ID, NAME, Token, mint

if TYPE_CHECKING:
    from tests.support.nodes import Node

DOMAIN: Final = ledger_domain(LEDGER_ID)
ASSET: Final = ids.asset_id(AssetTerms("SCI", NAME, 18))
U64: Final = 2**64 - 1
SIZES: Final = (1, 2, 3, 4, 5, 7, 8, 11)


@pytest.fixture
def checker(anvil: Node) -> Contract:
    """Return the contract on Anvil."""
    return deploy(anvil, "EntryProof")


def entries(count: int) -> list[EntryWords]:
    """Return a journal; its amounts go up to the largest."""
    dice = random.Random(count)
    amounts = [2**256 - 1, 0, *(dice.getrandbits(256) for _ in range(count))]
    return [
        EntryWords(
            ASSET,
            seq,
            dice.randbytes(20),
            dice.randbytes(20),
            amounts[seq - 1],
            dice.getrandbits(64),
            dice.randbytes(32),
        )
        for seq in range(1, count + 1)
    ]


def id_of(entry: EntryWords) -> Hash32:
    return ids.entry_id(DOMAIN, entry)


def batch_of(leaves: list[Hash32], **changes: Any) -> Batch:  # noqa: ANN401 (of any field)
    """Return a batch whose tree is over `leaves`."""
    values: dict[str, Any] = {
        "asset": ASSET,
        "number": 1,
        "first_seq": 1,
        "last_seq": len(leaves),
        "prev_head": ids.first_head(DOMAIN, ASSET),
        "new_head": Hash32(b"\x11" * 32),
        "tree_root": Hash32(root(leaves)),
        "payload_hash": Hash32(b"\x22" * 32),
    }
    return Batch(**{**values, **changes})


def words(batch: Batch) -> tuple[object, ...]:
    """Return a batch as the ABI takes it."""
    return tuple(getattr(batch, name) for name in batch.__dataclass_fields__)


def test_ids(node: Node) -> None:
    contract = deploy(node, "EntryProof")
    journal = entries(5)
    batch = batch_of([id_of(entry) for entry in journal], number=U64, last_seq=U64)
    for entry in (*journal, journal[0]._replace(seq=U64, timestamp=U64)):
        assert contract.call("entryId", LEDGER_ID, entry) == id_of(entry)
    assert contract.call("batchId", LEDGER_ID, words(batch)) == ids.batch_id(DOMAIN, batch)


def test_every_entry_of_every_tree_is_there_and_nowhere_else(checker: Contract) -> None:
    for size in SIZES:
        journal = entries(size)
        leaves = [id_of(entry) for entry in journal]
        batch = batch_of(leaves)
        for index, entry in enumerate(journal):
            path = inclusion_proof(leaves, index)
            ask = ("isInBatch", LEDGER_ID)
            assert checker.call(*ask, entry, words(batch), path) is True
            bad = [
                (entry, batch, (*path, keccak(b""))),
                (entry, batch_of(leaves, tree_root=Hash32(keccak(batch.tree_root))), path),
                (entry, batch_of(leaves, tree_root=Hash32(bytes(32))), path),
                (entry, batch_of(leaves, asset=Hash32(bytes(32))), path),
                (entry, batch_of(leaves, last_seq=index), path),
                (entry._replace(amount=entry.amount ^ 1), batch, path),
                (entry._replace(asset=bytes(32)), batch, path),
                (entry._replace(seq=0), batch, path),
                (entry._replace(seq=U64), batch, path),
                (entry._replace(seq=U64), batch_of(leaves, last_seq=U64), path),
                *((entry, batch, path[:cut]) for cut in range(len(path))),
            ]
            for other, its, proof in bad:
                expected = verify_inclusion(
                    id_of(other), other.seq - 1, its.last_seq, proof, its.tree_root
                )
                assert not expected or its.asset != other.asset
                assert checker.call(*ask, other, words(its), proof) is False
            assert checker.call("isInBatch", bytes(32), entry, words(batch), path) is False


def test_an_inner_node_is_no_entry(checker: Contract) -> None:
    journal = entries(4)
    leaves = [id_of(entry) for entry in journal]
    left = node_hash(leaf_hash(leaves[0]), leaf_hash(leaves[1]))
    right = node_hash(leaf_hash(leaves[2]), leaf_hash(leaves[3]))
    assert node_hash(left, right) == root(leaves)
    # A tree of two whose leaves would be inner nodes has another root: leaves are hashed with 0x00.
    for entry in journal:
        for sibling in (left, right):
            forged = batch_of(leaves, last_seq=2)
            assert checker.call("isInBatch", LEDGER_ID, entry, words(forged), [sibling]) is False


def test_growth_between_all_sizes(checker: Contract) -> None:
    leaves = [id_of(entry) for entry in entries(9)]
    for old in range(10):
        for new in range(10):
            before = batch_of(leaves[:old], last_seq=old)
            after = batch_of(leaves[:new], last_seq=new)
            path = consistency_proof(leaves[:new], old) if old <= new else ()
            paths = {path, (*path, keccak(b"")), path[:-1], path[1:], path[::-1], ()}
            for proof in paths:
                expected = verify_consistency(old, new, proof, before.tree_root, after.tree_root)
                found = checker.call("isExtended", words(before), words(after), proof)
                assert found is expected
                assert expected is (old <= new and proof == path)
    empty = batch_of([], last_seq=0)
    assert empty.tree_root == empty_root()
    forged = batch_of([], last_seq=0, tree_root=Hash32(bytes(32)))
    grown = batch_of(leaves)
    assert checker.call("isExtended", words(forged), words(grown), []) is False
    other = batch_of(leaves, asset=Hash32(bytes(32)))
    assert checker.call("isExtended", words(other), words(other), []) is True
    assert checker.call("isExtended", words(grown), words(other), []) is False


def test_numbers_that_no_tree_has_end_in_no_loop(checker: Contract) -> None:
    leaves = [id_of(entry) for entry in entries(3)]
    path = [keccak(bytes([number])) for number in range(64)]
    for old, new in ((1, U64), (U64 - 1, U64), (2**63, U64), (2**63 - 1, 2**63), (U64, U64)):
        before, after = batch_of(leaves, last_seq=old), batch_of(leaves, last_seq=new)
        for proof in (path, path[:1], path[:63]):
            assert checker.call("isExtended", words(before), words(after), proof) is False
        entry = entries(1)[0]._replace(seq=old)
        assert checker.call("isInBatch", LEDGER_ID, entry, words(after), path) is False


class Replayed:
    """A token that replayed three batches of a journal, as its operator would."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.journal: list[EntryWords] = []
        self.batches: list[Batch] = []
        self.histories = [ids.first_head(DOMAIN, ASSET)]
        alice, bob = (Address.parse(person.address) for person in (ALICE, BOB))
        head = self.histories[0]
        for records in (
            [mint(alice, 100), mint(bob, 7)],
            [Record(alice, bob, 30)],
            [mint(bob, 5), Record(bob, alice, 1), mint(alice, 2)],
        ):
            first = len(self.journal) + 1
            for record in records:
                seq = len(self.journal) + 1
                self.journal.append(
                    EntryWords(ASSET, seq, record.from_, record.to, record.amount, seq, bytes(32))
                )
            leaves = [id_of(entry) for entry in self.journal]
            before = head
            for leaf in leaves[first - 1 :]:
                head = ids.next_head(head, leaf)
            payload = encode_payload(records)
            batch = batch_of(
                leaves,
                number=len(self.batches) + 1,
                first_seq=first,
                prev_head=before,
                new_head=head,
                payload_hash=Hash32(keccak(payload)),
            )
            arguments = (self.histories[-1], head, batch.tree_root, payload)
            token.send("replay", *arguments, sender=OPERATOR.address)
            self.batches.append(batch)
            self.histories.append(ids.next_history(self.histories[-1], self.id(-1)))
        assert token.call("history") == self.histories[-1]

    def id(self, place: int) -> Hash32:
        return ids.batch_id(DOMAIN, self.batches[place])

    def arguments(self, seq: int, number: int) -> tuple[Any, ...]:
        """Return what proves entry `seq` by batch `number`."""
        batch = self.batches[number - 1]
        leaves = [id_of(entry) for entry in self.journal[: batch.last_seq]]
        return (
            self.token.address,
            self.journal[seq - 1],
            words(batch),
            inclusion_proof(leaves, seq - 1),
            self.histories[number - 1],
            [self.id(place) for place in range(number, len(self.batches))],
        )


def test_an_entry_is_proved_against_the_history_of_a_token(node_token: Token) -> None:
    replayed = Replayed(node_token)
    contract = deploy(node_token.node, "EntryProof")
    for number, batch in enumerate(replayed.batches, 1):
        for seq in range(1, batch.last_seq + 1):
            good = replayed.arguments(seq, number)
            assert contract.call("isReplayed", *good) is True
            token, entry, its, path, before, later = good
            for bad in (
                (token, entry._replace(amount=entry.amount + 1), its, path, before, later),
                (token, entry, its, (*path, bytes(32)), before, later),
                (token, entry, its, path, keccak(before), later),
                (token, entry, its, path, before, [*later, bytes(32)]),
                (token, entry, its, path, before, later[1:] if later else [bytes(32)]),
                (token, entry, (*its[:6], bytes(32), its[7]), path, before, later),
                (token, entry, (*its[:1], its[1] + 1, *its[2:]), path, before, later),
            ):
                assert contract.call("isReplayed", *bad) is False


def test_another_ledgers_token_proves_nothing(token: Token) -> None:
    replayed = Replayed(token)
    contract = deploy(token.node, "EntryProof")
    made = deploy(token.node, "LedgerToken", LEDGER_ID, "GOLD", NAME, 18, OPERATOR.address)
    foreign = deploy(token.node, "LedgerToken", bytes(32), "SCI", NAME, 18, OPERATOR.address)
    _, *rest = replayed.arguments(1, 3)
    for other in (made, foreign):
        assert contract.call("isReplayed", other.address, *rest) is False


def test_it_has_no_state_and_no_power(checker: Contract) -> None:
    functions = [it for it in checker.abi if it["type"] == "function"]
    assert {it["stateMutability"] for it in functions} == {"pure", "view"}
    assert [it["name"] for it in functions if it["stateMutability"] == "view"] == ["isReplayed"]
    assert {it["type"] for it in checker.abi} == {"function"}
