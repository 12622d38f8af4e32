"""Any proof at all, written and read back: the same value, and the same bytes again."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bridge import export, import_ledger
from bridge.errors import BridgeError
from bridge.proof_checks import check_proof
from bridge.proof_files import dump_proof, parse_proof
from bridge.proofs import (
    BalanceLeaf,
    BalanceProof,
    ConsistencyProof,
    EntryProof,
    Evidence,
    Opening,
    SealSignature,
    StatedSeal,
)
from bridge.proving import BalanceTree, prove_consistency, prove_entry
from ledger.ids import asset_id
from ledger.model import AssetTerms, Batch, EntryWords, Kind, Metadata, Seal
from tests.bridge.proofs import is_rejected
from tests.core.strategies import addresses, amounts, hashes

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.proofs import Proof
    from ledger import Ledger

i63 = st.one_of(st.integers(0, 2**63 - 1), st.just(2**63 - 1))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20).map(
    lambda name: unicodedata.normalize("NFC", name)
)
terms = st.builds(AssetTerms, texts.filter(bool), texts, st.integers(0, 255))
openings = st.none() | st.builds(Opening, names, hashes, addresses)
signatures = st.builds(
    lambda r, s, v: r + (int.from_bytes(s, "big") >> 1).to_bytes(32, "big") + bytes([v]),
    hashes,
    st.binary(min_size=32, max_size=32).filter(lambda s: s[0] < 0xFF),
    st.sampled_from([27, 28]),
)
seals = st.builds(
    StatedSeal,
    st.builds(
        Seal, i63, hashes, i63, st.lists(hashes, min_size=1, max_size=3, unique=True).map(tuple)
    ),
    hashes,
)
paths = st.lists(hashes, max_size=5).map(tuple)


@st.composite
def evidence(draw: st.DrawFn, asset: AssetTerms) -> Evidence:
    """Draw a batch and its seals."""
    number, first, last = (draw(i63) for _ in range(3))
    words = [draw(hashes) for _ in range(4)]
    signed = draw(st.none() | st.builds(SealSignature, addresses, signatures))
    stated = tuple(draw(st.lists(seals, min_size=1, max_size=3)))
    return Evidence(
        Batch(asset_id(asset), number, first, last, *words), draw(hashes), stated, signed
    )


@st.composite
def proofs(draw: st.DrawFn) -> Proof:
    """Draw what a proof could state; almost none of it holds."""
    asset, ledger_id, path = draw(terms), draw(hashes), draw(paths)
    kind = draw(st.sampled_from(["entry", "balance", "consistency"]))
    if kind == "entry":
        entry = EntryWords(
            asset_id(asset),
            draw(i63),
            draw(addresses),
            draw(addresses),
            draw(amounts),
            draw(i63),
            draw(hashes),
        )
        metadata = st.builds(
            Metadata,
            texts,
            texts,
            texts,
            texts,
            texts,
            hashes,
            st.sampled_from(Kind),
            hashes,
            hashes,
        )
        return EntryProof(
            ledger_id,
            asset,
            entry,
            draw(hashes),
            draw(st.none() | metadata),
            draw(openings),
            draw(openings),
            path,
            draw(evidence(asset)),
        )
    if kind == "balance":
        leaf = draw(st.builds(BalanceLeaf, addresses, amounts, addresses, amounts, hashes))
        opening, root = draw(openings), draw(hashes)
        return BalanceProof(ledger_id, asset, leaf, opening, path, root, draw(evidence(asset)))
    return ConsistencyProof(ledger_id, asset, draw(evidence(asset)), draw(evidence(asset)), path)


@given(proofs())
def test_a_proof_is_read_as_it_was_written(proof: Proof) -> None:
    text = dump_proof(proof)
    assert parse_proof(text) == proof
    assert dump_proof(parse_proof(text)) == text


@given(proofs())
def test_what_is_made_up_does_not_hold(proof: Proof) -> None:
    assert is_rejected(dump_proof(proof))
    try:
        check_proof(proof)
    except BridgeError as error:
        assert " is " in str(error)  # noqa: PT017 (any of ours, with what is wrong)


@given(proofs(), proofs())
def test_different_proofs_have_different_files(one: Proof, other: Proof) -> None:
    assert (dump_proof(one) == dump_proof(other)) is (one == other)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(text: bytes) -> None:
    assert is_rejected(text)


def test_whoever_has_an_export_proves_the_same(book: Ledger, tmp_path: Path) -> None:
    folder = export(book, tmp_path / "export").path
    with import_ledger(folder, f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert copy.identity.pepper is None
        for symbol in ("SCI", "GOLD"):
            for entry in book.entries(symbol):
                ours, theirs = (
                    prove_entry(it, entry.id, open_accounts=True) for it in (book, copy)
                )
                assert dump_proof(ours) == dump_proof(theirs)
            ours_grown, theirs_grown = (
                prove_consistency(it, 1, asset=symbol) for it in (book, copy)
            )
            assert dump_proof(ours_grown) == dump_proof(theirs_grown)
            one, other = (BalanceTree(it, symbol) for it in (book, copy))
            assert one.dump() == other.dump()
            assert one.prove("alice", open_account=True) == other.prove("alice", open_account=True)
