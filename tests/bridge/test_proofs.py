"""Proofs: what they hold, what they prove, and that nothing in them can be altered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_account import Account

from bridge.errors import BridgeError, ExportFileError, ProofError
from bridge.keys import Signer
from bridge.proof_checks import ProofKind, check_proof
from bridge.proof_files import MAX_BYTES, dump_proof, parse_proof, read_proof
from bridge.proofs import BalanceProof, ConsistencyProof, EntryProof, SealSignature
from bridge.proving import BalanceTree, prove_consistency, prove_entry
from ledger import CorruptError, Hash32, Ledger, NotFoundError
from ledger.encoding import ledger_domain
from ledger.ids import asset_id, batch_id, entry_id, first_head, seal_id
from ledger.merkle import leaf_hash, node_hash
from ledger.model import Address, AssetTerms
from tests.bridge.histories import LEDGER_ID, altered_copy, seal_all, small_ledger, steady_clock
from tests.bridge.proofs import (
    KINDS,
    WALLET,
    altered,
    holds,
    is_rejected,
    places,
    proofs_of,
    replaced,
    written,
)

if TYPE_CHECKING:
    from bridge.proofs import Proof

DATA: Final = Path(__file__).parents[1] / "data" / "proofs"
FIRST_HEAD: Final = first_head(
    ledger_domain(LEDGER_ID), asset_id(AssetTerms("SCI", "SCI token", 18))
)
OF_EACH_KIND: Final = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Proof]:
    """Return a proof of each kind."""
    folder = tmp_path_factory.mktemp("proofs")
    with small_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        return proofs_of(ledger, folder)


@pytest.fixture(scope="module")
def texts(proofs: dict[str, Proof]) -> dict[str, bytes]:
    """Return the files of them."""
    return {kind: dump_proof(proof) for kind, proof in proofs.items()}


# --- what is proved ---


@OF_EACH_KIND
def test_a_proof_is_the_same_on_each_database_and_for_ever(
    kind: str, database_url: str, tmp_path: Path
) -> None:
    with small_ledger(database_url) as ledger:
        text = dump_proof(proofs_of(ledger, tmp_path)[kind])
    assert text == (DATA / f"{kind}.json").read_bytes()


@OF_EACH_KIND
def test_a_proof_is_read_as_it_was_written(kind: str, proofs: dict[str, Proof]) -> None:
    proof = proofs[kind]
    text = dump_proof(proof)
    assert parse_proof(text) == proof
    assert dump_proof(parse_proof(text)) == text
    proved = holds(text)
    assert proved.kind == ProofKind(kind)
    assert proved.anchors[-1].signer == WALLET.address


def test_every_entry_is_proved_up_to_each_seal(book: Ledger) -> None:
    last = book.last_seal()
    for symbol in ("SCI", "GOLD"):
        for entry in book.entries(symbol):
            own = book.batch_with(entry.seq, symbol)
            assert own is not None
            for seal in (None, *range(own.seal, last + 1)):
                proof = prove_entry(book, entry.id, seal=seal)
                proved = check_proof(proof)
                assert proof.entry_id == entry.id
                assert proof.entry.amount == entry.amount
                assert proof.metadata is not None
                assert proof.metadata.memo == entry.memo
                assert proved.anchors[0].seal_number == (own.seal if seal is None else seal)


def test_an_entry_can_keep_its_words_to_itself(book: Ledger) -> None:
    entry = next(it for it in book.entries("GOLD") if it.memo)
    text = dump_proof(prove_entry(book, entry.id, private=True))
    assert holds(text).kind == ProofKind.ENTRY
    for secret in (entry.memo, entry.reason, str(entry.blind), "alice"):
        assert secret.encode() not in text


def test_only_derived_accounts_are_opened(book: Ledger) -> None:
    proofs = [prove_entry(book, it.id, open_accounts=True) for it in book.entries("GOLD")]
    opened = {proof.to and proof.to.account_id for proof in proofs}
    assert {None, "alice", "carol 🙂"} <= opened  # None: an address of its own
    assert proofs[0].from_ is None  # the issuer


def test_every_balance_is_proved_after_each_batch(book: Ledger) -> None:
    for symbol in ("SCI", "GOLD"):
        for seal in range(1, book.last_seal() + 1):
            tree = BalanceTree(book, symbol, seal=seal, chain_id=1)
            seq = tree.batch.batch.last_seq
            held = {it.account: it.balance for it in tree.leaves}
            for account in book.accounts():
                balance = book.balance_at(account.account_id, seq, symbol)
                assert held.get(account.address, 0) == balance or account.account_id == "system"
                if account.address in held:
                    proof = tree.prove(account.account_id)
                    assert check_proof(proof).roots == (tree.root,)
                    assert proof.leaf.balance == balance
            assert len({str(it.account).lower() for it in tree.leaves}) == len(tree.leaves)


def test_balances_name_chain_and_token(book: Ledger) -> None:
    token = Address(b"\x11" * 20)
    roots = {
        BalanceTree(book, "SCI", chain_id=chain_id, token=its).root
        for chain_id in (None, 1, 2**256 - 1)
        for its in (None, token)
    }
    assert len(roots) == 6
    assert BalanceTree(book, "SCI").leaves[0].chain_id == book.identity.chain_id
    with pytest.raises(Exception, match="chain_id: must be within"):
        BalanceTree(book, "SCI", chain_id=2**256)


def test_growth_is_proved_between_all_seals(sqlite_url: str) -> None:
    with Ledger.create(sqlite_url, clock=steady_clock()) as ledger:
        ledger.create_asset("SCI", "SCI token", 18, endowment=0)
        ledger.create_account("alice")
        for count in (1, 1, 2, 3, 1, 5, 8, 4, 7):
            for _ in range(count):
                ledger.mint("alice", 1)
            ledger.seal()
        last = ledger.last_seal()
        for old in range(1, last):
            for new in range(old + 1, last + 1):
                proved = check_proof(prove_consistency(ledger, old, new))
                assert [it.seal_number for it in proved.anchors] == [old, new]


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda book, _: prove_entry(book, Hash32(bytes(32))), "UNKNOWN_ENTRY"),
        (lambda book, last: prove_entry(book, last.id), "is not sealed: run"),
        (lambda book, _: prove_entry(book, next(book.entries("SCI")).id, seal=9), "no seal 9"),
        (lambda book, _: prove_entry(book, next(book.entries("GOLD")).id, seal=0), "to seal 0"),
        (lambda book, _: BalanceTree(book, "SCI", seal=0), "is sealed up to seal 0"),
        (lambda book, _: BalanceTree(book, "SCI").prove("nobody"), "UNKNOWN_ACCOUNT"),
        (lambda book, _: BalanceTree(book, "SCI").prove("system"), "nothing to prove"),
        (lambda book, _: prove_consistency(book, 1, 1, "SCI"), "name seals between"),
        (lambda book, _: prove_consistency(book, 2, 1, "SCI"), "name seals between"),
        (lambda book, _: prove_consistency(book, 1, 99, "SCI"), "no seal 99"),
        (lambda book, _: prove_consistency(book, 99, None, "SCI"), "name seals between"),
    ],
)
def test_what_cannot_be_proved(book: Ledger, ask: Any, says: str) -> None:  # noqa: ANN401 (a lambda)
    last = book.mint("alice", 1, asset="SCI")
    with pytest.raises((BridgeError, NotFoundError), match=says):
        ask(book, last)


def test_nothing_is_proved_before_the_first_seal(sqlite_url: str) -> None:
    with small_ledger(sqlite_url, sealed=False) as ledger:
        with pytest.raises(BridgeError, match="nothing is sealed yet"):
            BalanceTree(ledger, "SCI")
        with pytest.raises(BridgeError, match="nothing is sealed yet"):
            prove_consistency(ledger, 1, asset="SCI")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE token_ledger SET id = zeroblob(32) WHERE asset = 1 AND seq = 3",
        "UPDATE token_ledger SET memo = 'x' WHERE asset = 1 AND seq = 1",
        "UPDATE token_batches SET tree_root = zeroblob(32) WHERE asset = 1 AND number = 2",
        "UPDATE token_batches SET id = zeroblob(32) WHERE asset = 1 AND number = 2",
        "UPDATE token_seals SET timestamp = timestamp + 1 WHERE number = 2",
    ],
)
def test_an_altered_ledger_proves_nothing(
    statement: str, book: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    first = next(book.entries("SCI"))
    book.close()
    with (
        Ledger.open(altered_copy(sqlite_url, statement, tmp_path)) as ledger,
        pytest.raises(CorruptError, match="audit"),
    ):
        prove_entry(ledger, first.id, seal=2)


def test_balances_that_are_not_the_supply_prove_nothing(
    book: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    statement = (
        "UPDATE token_ledger SET balance_after_to = balance_after_from WHERE asset = 1 AND seq = 14"
    )
    book.close()
    with (
        Ledger.open(altered_copy(sqlite_url, statement, tmp_path)) as ledger,
        pytest.raises(CorruptError, match="the supply"),
    ):
        BalanceTree(ledger, "SCI")


# --- what is known from elsewhere ---


@OF_EACH_KIND
def test_a_proof_is_compared_with_what_is_known(kind: str, proofs: dict[str, Proof]) -> None:
    proved = check_proof(proofs[kind])
    stranger = Address(b"\x12" * 20)
    for anchor in proved.anchors:
        proved.expect(seals=anchor.seal_ids, roots=proved.roots)
    if kind != "consistency":  # whose old seal nobody signed
        proved.expect(signer=WALLET.address)
    with pytest.raises(ProofError, match="the seal is 0x"):
        proved.expect(seals=[Hash32(bytes(32))])
    with pytest.raises(ProofError, match="the root is 0x"):
        proved.expect(roots=[proved.roots[0], Hash32(bytes(32))])
    with pytest.raises(ProofError, match="who signed seal"):
        proved.expect(signer=stranger)


def test_the_root_of_entries_is_none_of_balances(proofs: dict[str, Proof]) -> None:
    proved = check_proof(proofs["balance"])
    with pytest.raises(ProofError, match="the root"):
        proved.expect(roots=[proved.anchors[0].batch.tree_root])
    assert not proved.is_sealed


def test_an_unsigned_proof_is_signed_by_nobody(book: Ledger) -> None:
    proved = check_proof(prove_entry(book, next(book.entries("SCI")).id))
    with pytest.raises(ProofError, match="is nobody, must be"):
        proved.expect(signer=WALLET.address)


# --- what is corrupted: the file ---


@OF_EACH_KIND
def test_each_byte_counts(kind: str, texts: dict[str, bytes]) -> None:
    text = bytearray(texts[kind])
    for place in range(len(text)):
        for bits in (0x01, 0x20, 0x80):  # the next digit, the other case, no ASCII
            text[place] ^= bits
            assert is_rejected(bytes(text)), (place, bits, bytes(text[place - 40 : place + 40]))
            text[place] ^= bits


@OF_EACH_KIND
def test_each_length_counts(kind: str, texts: dict[str, bytes]) -> None:
    text = texts[kind]
    for place in range(len(text)):
        assert is_rejected(text[:place])
        assert is_rejected(text[:place] + text[place + 1 :])
        assert is_rejected(text[:place] + text[place : place + 1] + text[place:])
        assert is_rejected(text[:place] + b" " + text[place:])
    for more in (b"\n", b" ", b"\0", b"{}", text):
        assert is_rejected(text + more)
        assert is_rejected(more + text)


VALUES: Final[tuple[object, ...]] = (
    *(None, True, False, 0, 1, -1, 1.5, 2**63, 2**64, 10**80, "", "0", "0x", "x", [], {}),
    *("0x" + "00" * 32, "0x" + "00" * 20, "0x" + "ff" * 20, "1" * 79, "-1", "1e3", "\ud800"),
)


@OF_EACH_KIND
def test_each_value_counts(kind: str, texts: dict[str, bytes]) -> None:
    document = json.loads(texts[kind])
    for path in list(places(document)):
        found = document
        for key in path:
            found = found[key]
        for value in VALUES:
            if type(value) is type(found) and value == found:
                continue
            if value is None and path[-1] in {"metadata", "from_account", "to_account", "account"}:
                continue  # what was private is no part of the proof
            if value is None and path == ("signature",):
                continue  # nor is who signed the seal
            if value is None and path == ("new", "signature"):
                continue
            changed = json.dumps(replaced(document, path, value), indent=1).encode() + b"\n"
            assert is_rejected(changed), (path, value)
            if value != "\ud800":
                assert is_rejected(written(replaced(document, path, value))), (path, value)


@OF_EACH_KIND
def test_each_field_is_there_once_in_its_order(kind: str, texts: dict[str, bytes]) -> None:
    document = json.loads(texts[kind])
    objects = [(), *places(document)]
    for path in objects:
        inside = document
        for key in path:
            inside = inside[key]
        if isinstance(inside, list):
            for shorter in (inside[:-1], inside[1:], inside[::-1], inside * 2):
                if shorter != inside:
                    assert is_rejected(written(replaced(document, path, shorter))), path
        if not isinstance(inside, dict):
            continue
        for name in inside:
            without = {key: value for key, value in inside.items() if key != name}
            for other in (without, {**without, name: inside[name]}, {**inside, "more": 1}):
                if list(other) != list(inside):
                    whole = replaced(document, path, other) if path else other
                    assert is_rejected(written(whole)), (path, name)


def test_a_field_that_is_named_twice(texts: dict[str, bytes]) -> None:
    text = texts["entry"].replace(b' "ledger_id"', b' "ledger_id": "0x00",\n "ledger_id"', 1)
    with pytest.raises(ExportFileError, match="is named twice"):
        parse_proof(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is not JSON"),
        (b"[]\n", "is no proof"),
        (b'{"format": []}', "is no proof"),
        (b'{"format": "evm-ledger/entry-proof/2"}', "is no proof that this version"),
        (b"[" * 100_000, "is not JSON"),
        (b" " * (MAX_BYTES + 1), "no proof is as large"),
        (b'{"format": NaN}', "NaN"),
        (b'{"format": 1.0}', "is not JSON|1.0"),
    ],
)
def test_what_is_no_proof(text: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(text)
    with pytest.raises(ExportFileError, match=says):
        read_proof(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExportFileError, match="cannot be read"):
        read_proof(tmp_path / "proof.json")


# --- what is forged: values that a file could have ---


def of_entry(proofs: dict[str, Proof]) -> EntryProof:
    proof = proofs["entry"]
    assert isinstance(proof, EntryProof)
    return proof


def test_an_inner_node_is_no_entry(proofs: dict[str, Proof]) -> None:
    proof = of_entry(proofs)
    leaf = leaf_hash(proof.entry_id)
    inner = Hash32(node_hash(leaf, proof.path[0]))
    for forged in (inner, Hash32(leaf)):
        with pytest.raises(ProofError, match="the entry's id"):
            check_proof(replace(proof, entry_id=forged, path=proof.path[1:]))


def test_an_entry_is_nowhere_but_at_its_seq(proofs: dict[str, Proof]) -> None:
    proof = of_entry(proofs)
    for seq in (*range(20), 2**63 - 1, 2**64 - 1):
        if seq == proof.entry.seq:
            continue
        entry = proof.entry._replace(seq=seq)
        id_ = entry_id(_domain(proof.ledger_id), entry)
        with pytest.raises(ProofError, match="the path"):
            check_proof(replace(proof, entry=entry, entry_id=id_))


def _domain(ledger_id: bytes) -> Hash32:
    return Hash32(ledger_domain(ledger_id))


def test_an_entry_of_another_asset_is_in_no_batch_of_this_one(proofs: dict[str, Proof]) -> None:
    proof = of_entry(proofs)
    entry = proof.entry._replace(asset=bytes(32))
    id_ = entry_id(_domain(proof.ledger_id), entry)
    with pytest.raises(ProofError, match="the entry's asset"):
        check_proof(replace(proof, entry=entry, entry_id=id_))


@OF_EACH_KIND
def test_a_proof_is_of_one_ledger_and_one_asset(kind: str, proofs: dict[str, Proof]) -> None:
    proof = proofs[kind]
    with pytest.raises(ProofError):
        check_proof(replace(proof, ledger_id=Hash32(b"\x09" * 32)))
    with pytest.raises(ProofError):
        check_proof(replace(proof, asset=replace(proof.asset, symbol="SCI2")))
    with pytest.raises(ProofError):
        check_proof(replace(proof, asset=replace(proof.asset, decimals=17)))


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": 2, "first_seq": 1},
        {"number": 1, "first_seq": 2},
        {"number": 16, "first_seq": 15},
        {"first_seq": 0},
        {"first_seq": 16},
        {"last_seq": 0, "first_seq": 0},
        {"number": 1, "first_seq": 1, "prev_head": Hash32(bytes(32))},
        {"number": 1, "first_seq": 2, "prev_head": FIRST_HEAD},
    ],
)
def test_a_batch_that_cannot_be(change: dict[str, Any], proofs: dict[str, Proof]) -> None:
    proof = of_entry(proofs)
    domain = _domain(proof.ledger_id)
    batch = replace(proof.evidence.batch, **change)
    id_ = batch_id(domain, batch)
    [stated] = proof.evidence.seals
    seal = replace(stated.seal, batches=(id_,))
    evidence = replace(
        proof.evidence,
        batch=batch,
        batch_id=id_,
        seals=(replace(stated, seal=seal, id=seal_id(domain, seal)),),
        signature=None,
    )
    with pytest.raises(ProofError, match="batch"):
        check_proof(replace(proof, evidence=evidence))


def test_a_seal_without_the_batch(proofs: dict[str, Proof]) -> None:
    proof = of_entry(proofs)
    domain = _domain(proof.ledger_id)
    [stated] = proof.evidence.seals
    for batches in ((), (Hash32(b"\x01" * 32),)):
        seal = replace(stated.seal, batches=batches)
        seals = (replace(stated, seal=seal, id=seal_id(domain, seal)),)
        with pytest.raises(ProofError, match="the first seal"):
            check_proof(replace(proof, evidence=replace(proof.evidence, seals=seals)))
    with pytest.raises(ProofError, match="the first seal"):
        check_proof(replace(proof, evidence=replace(proof.evidence, seals=())))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"number": 5}, "the next seal's number"),
        ({"prev_seal": Hash32(b"\x01" * 32)}, "names before it"),
        ({"timestamp": 1}, "the time of seal"),
        ({"number": 0}, "at least 1"),
        ({"number": 1}, "before the first alone"),
        ({"prev_seal": Hash32(bytes(32))}, "before the first alone"),
    ],
)
def test_seals_that_do_not_follow(book: Ledger, change: dict[str, Any], says: str) -> None:
    proof = prove_entry(book, next(book.entries("SCI")).id, seal=2)
    first = next(it for it in book.entries("SCI"))
    own = book.batch_with(first.seq, "SCI")
    assert own is not None
    domain = book.identity.domain
    stated = proof.evidence.seals[0]
    if len(proof.evidence.seals) == 1:  # the batch is in the second seal: put the first before it
        before = next(book.seals(1))
        stated = replace(stated, seal=before.seal, id=before.id)
        evidence = replace(
            proof.evidence,
            batch=own.batch,
            batch_id=own.id,
            seals=(stated, proof.evidence.seals[0]),
        )
        proof = replace(proof, evidence=evidence)
    last = proof.evidence.seals[-1]
    seal = replace(last.seal, **change)
    forged = replace(last, seal=seal, id=seal_id(domain, seal))
    evidence = replace(proof.evidence, seals=(*proof.evidence.seals[:-1], forged))
    with pytest.raises(ProofError, match=says):
        check_proof(replace(proof, evidence=evidence))


def test_a_signature_is_of_the_stated_wallet_over_the_last_seal(proofs: dict[str, Proof]) -> None:
    proof = of_entry(proofs)
    signed = proof.evidence.signature
    assert signed is not None
    other = Signer(Account.from_key("0x" + "5b" * 32))
    for forged in (
        replace(signed, signer=other.address),
        SealSignature(WALLET.address, other.sign_digest(proof.evidence.seals[-1].id)),
        SealSignature(WALLET.address, WALLET.sign_digest(proof.evidence.batch_id)),
        SealSignature(WALLET.address, bytes(64) + b"\x1b"),
        SealSignature(WALLET.address, b"\xff" * 64 + b"\x1b"),
        SealSignature(WALLET.address, signed.signature[:64] + b"\x00"),
    ):
        with pytest.raises(ProofError, match="sign"):
            check_proof(replace(proof, evidence=replace(proof.evidence, signature=forged)))


def test_the_other_form_of_a_signature_is_refused(texts: dict[str, bytes]) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

    def change(document: Any) -> None:  # noqa: ANN401 (JSON)
        found = bytes.fromhex(document["signature"]["signature"][2:])
        s = (order - int.from_bytes(found[32:64], "big")).to_bytes(32, "big")
        turned = found[:32] + s + bytes([55 - found[64]])
        document["signature"]["signature"] = "0x" + turned.hex()

    with pytest.raises(ExportFileError, match="lower half"):
        parse_proof(altered(texts["entry"], change))


def test_growth_does_not_go_back(proofs: dict[str, Proof]) -> None:
    proof = proofs["consistency"]
    assert isinstance(proof, ConsistencyProof)
    for forged in (
        replace(proof, old=proof.new, new=proof.old),
        replace(proof, old=proof.new, path=()),
        replace(proof, new=proof.old, path=()),
        replace(proof, path=()),
        replace(proof, path=(*proof.path, proof.path[0])),
        replace(proof, path=proof.path[:-1]),
        replace(proof, path=proof.path[::-1]),
    ):
        with pytest.raises(ProofError):
            check_proof(forged)


def test_a_balance_is_of_one_batch(book: Ledger) -> None:
    old = BalanceTree(book, "SCI", seal=1).prove("alice")
    new = BalanceTree(book, "SCI", seal=2).prove("alice")
    assert isinstance(new, BalanceProof)
    assert check_proof(new).kind == ProofKind.BALANCE
    with pytest.raises(ProofError, match="the leaf's batch"):
        check_proof(replace(new, evidence=old.evidence))


def test_a_proof_has_no_more_seals_than_it_needs(sqlite_url: str) -> None:
    with small_ledger(sqlite_url) as ledger:
        for _ in range(3):
            ledger.mint("alice", 1, asset="SCI")
            ledger.seal()
        balance = BalanceTree(ledger, "GOLD").prove("alice")
        growth = prove_consistency(ledger, 1, asset="GOLD")
        for part in (balance.evidence, growth.old, growth.new):
            assert len(part.seals) == 1
        assert balance.evidence.seals[0].seal.number == 2
        later = BalanceTree(ledger, "GOLD", seal=5).prove("alice")
        assert [it.seal.number for it in later.evidence.seals] == [2, 3, 4, 5]
        assert later.root == balance.root


def test_a_checkpoint_reaches_over_many_seals(sqlite_url: str) -> None:
    with small_ledger(sqlite_url) as ledger:
        first = next(ledger.entries("GOLD"))
        for _ in range(30):
            ledger.mint("alice", 1, asset="SCI")
            ledger.seal()
        seal_all(ledger)
        last = ledger.last_seal()
        proof = prove_entry(ledger, first.id, seal=last)
        proved = holds(dump_proof(proof))
        assert len(proof.evidence.seals) == 31
        assert proved.anchors[0].seal_number == last
        proved.expect(seals=[it.id for it in ledger.seals(2)])
