"""Whether a proof holds: everything that it states is computed anew, without ledger or network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from bridge import oz_tree
from bridge.errors import ProofError
from bridge.proofs import BalanceProof, ConsistencyProof, EntryProof
from ledger.account_rules import derived_address
from ledger.addresses import account_key
from ledger.encoding import ledger_domain
from ledger.ids import asset_id, batch_id, entry_id, first_head, metadata_ref, seal_id
from ledger.merkle import verify_consistency, verify_inclusion
from ledger.model import ZERO_HASH, Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.proofs import Evidence, Opening, Proof, SealSignature, StatedSeal
    from ledger.model import Batch


class ProofKind(StrEnum):
    """What a proof is of."""

    ENTRY = "entry"
    BALANCE = "balance"
    CONSISTENCY = "consistency"


class Anchor(NamedTuple):
    """What a proof hangs from: it is worth what the reader knows of one of these."""

    batch: Batch
    batch_id: Hash32
    seal_number: int
    seal_id: Hash32
    """The last seal of the proof, which commits to the batch and to all before it."""
    seal_ids: tuple[Hash32, ...]
    """It and the others of the proof, any of which will do."""
    signer: Address | None
    """Who signed the last seal."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof that holds, if one of its anchors is what the reader knows from elsewhere."""

    kind: ProofKind
    proof: Proof
    asset_id: Hash32
    roots: tuple[Hash32, ...]
    """Of the tree of entries; of balances, for a balance; old and new, for consistency."""
    anchors: tuple[Anchor, ...]
    """One; old and new, for consistency."""

    @property
    def is_sealed(self) -> bool:
        """Whether the seals commit to what is proved; no seal has the root of balances."""
        return self.kind != ProofKind.BALANCE

    def expect(
        self,
        *,
        seals: Iterable[Hash32] = (),
        roots: Iterable[Hash32] = (),
        signer: Address | None = None,
    ) -> None:
        """Compare the proof with what the reader knows from elsewhere.

        Each of `seals` and `roots` must be one of the proof's; `signer` must have signed the last
        seal of each anchor. Neither seal nor signer says anything of a balance: see `is_sealed`.

        Raises:
            ProofError: naming what differs.
        """
        known = [id_ for anchor in self.anchors for id_ in anchor.seal_ids]
        last = self.anchors[-1]
        for seal in seals:
            if seal not in known:
                raise ProofError("the seal", str(seal), str(last.seal_id))
        for root in roots:
            if root not in self.roots:
                raise ProofError("the root", str(root), str(self.roots[-1]))
        for anchor in self.anchors:
            if signer is not None and anchor.signer != signer:
                by = "nobody" if anchor.signer is None else str(anchor.signer)
                raise ProofError(f"who signed seal {anchor.seal_number}", str(signer), by)


def check_proof(proof: Proof) -> Proved:
    """Recompute every id, root and signature of `proof`.

    Raises:
        ProofError: naming the first value that does not recompute.
    """
    if isinstance(proof, EntryProof):
        return _check_entry(proof)
    if isinstance(proof, BalanceProof):
        return _check_balance(proof)
    return _check_consistency(proof)


def _check_entry(proof: EntryProof) -> Proved:
    """Recompute the proof of an entry."""
    entry, batch = proof.entry, proof.evidence.batch
    _same("the entry's asset", asset_id(proof.asset), Hash32(entry.asset))
    if proof.metadata is not None:
        _same("the entry's ref", metadata_ref(proof.metadata), Hash32(entry.ref))
    _check_opening("the debit account's address", proof, proof.from_, entry.from_)
    _check_opening("the credit account's address", proof, proof.to, entry.to)
    _same("the entry's id", entry_id(ledger_domain(proof.ledger_id), entry), proof.entry_id)
    anchor = _check_evidence(proof, proof.evidence)
    if not verify_inclusion(
        proof.entry_id, entry.seq - 1, batch.last_seq, proof.path, batch.tree_root
    ):
        raise ProofError(
            "the path", f"one from entry {entry.seq} to the batch's root", "one to another"
        )
    return Proved(ProofKind.ENTRY, proof, asset_id(proof.asset), (batch.tree_root,), (anchor,))


def _check_balance(proof: BalanceProof) -> Proved:
    """Recompute the proof of a balance."""
    leaf = proof.leaf
    _check_opening("the account's address", proof, proof.account, leaf.account)
    anchor = _check_evidence(proof, proof.evidence)
    _same("the leaf's batch", anchor.batch_id, leaf.batch_id)
    reached = oz_tree.root_of(oz_tree.leaf_hash(leaf.encoded()), proof.path)
    _same("the root of the balances", Hash32(reached), proof.root)
    return Proved(ProofKind.BALANCE, proof, asset_id(proof.asset), (proof.root,), (anchor,))


def _check_consistency(proof: ConsistencyProof) -> Proved:
    """Recompute the proof that a journal only grew."""
    old, new = (_check_evidence(proof, part) for part in (proof.old, proof.new))
    for what, least, found in (
        ("the new batch's number", old.batch.number + 1, new.batch.number),
        ("the new batch's first entry", old.batch.last_seq + 1, new.batch.first_seq),
        (
            "the new seal's number",
            proof.old.seals[0].seal.number + 1,
            proof.new.seals[0].seal.number,
        ),
    ):
        if found < least:
            raise ProofError(what, f"at least {least}", str(found))
    sizes = (old.batch.last_seq, new.batch.last_seq)
    roots = (old.batch.tree_root, new.batch.tree_root)
    if not verify_consistency(*sizes, proof.path, *roots):
        raise ProofError("the path", "one from the old root to the new", "one to others")
    return Proved(ProofKind.CONSISTENCY, proof, asset_id(proof.asset), roots, (old, new))


# --- what the kinds share ---


def _same(what: str, computed: object, stated: object) -> None:
    """Raise ProofError if the two differ."""
    if computed != stated:
        raise ProofError(what, str(computed), str(stated))


def _check_opening(what: str, proof: Proof, opening: Opening | None, stated: bytes) -> None:
    """Check that what opens a derived address opens this one."""
    if opening is not None:
        key = account_key(opening.blind, opening.account_id)
        computed = derived_address(proof.ledger_id, key, opening.registrar)
        _same(what, computed, Address(stated))


def _check_evidence(proof: Proof, evidence: Evidence) -> Anchor:
    """Recompute a batch, its seal and the seals after it, and who signed the last."""
    domain, batch, seals = ledger_domain(proof.ledger_id), evidence.batch, evidence.seals
    _same("the batch's asset", asset_id(proof.asset), batch.asset)
    _check_batch(domain, batch)
    _same("the batch's id", batch_id(domain, batch), evidence.batch_id)
    if not seals or evidence.batch_id not in seals[0].seal.batches:
        raise ProofError("the first seal", f"one with batch {evidence.batch_id}", "another")
    before = None
    for stated in seals:
        _check_seal(domain, stated, before)
        before = stated
    last = seals[-1]
    if evidence.signature is not None:
        _check_signature(last.id, evidence.signature)
    return Anchor(
        batch=batch,
        batch_id=evidence.batch_id,
        seal_number=last.seal.number,
        seal_id=last.id,
        seal_ids=tuple(stated.id for stated in seals),
        signer=None if evidence.signature is None else evidence.signature.signer,
    )


def _check_batch(domain: bytes, batch: Batch) -> None:
    """Refuse numbers that no batch has: the tree's size and place follow from them."""
    if not 1 <= batch.number <= batch.first_seq <= batch.last_seq:
        stated = f"number {batch.number}, {batch.first_seq} .. {batch.last_seq}"
        raise ProofError("the batch", "a run of entries", stated)
    if (batch.number == 1) != (batch.first_seq == 1):
        raise ProofError("the first batch's first entry", "1", str(batch.first_seq))
    if batch.number == 1:
        _same("the first batch's head", first_head(domain, batch.asset), batch.prev_head)


def _check_seal(domain: bytes, stated: StatedSeal, before: StatedSeal | None) -> None:
    """Recompute a seal and its place after the one before it."""
    seal = stated.seal
    _same(f"the id of seal {seal.number}", seal_id(domain, seal), stated.id)
    if seal.number < 1:
        raise ProofError("the seal's number", "at least 1", str(seal.number))
    if (seal.number == 1) != (seal.prev_seal == ZERO_HASH):
        raise ProofError("what is before a seal", "nothing before the first alone", "another")
    if before is not None:
        _same("the next seal's number", before.seal.number + 1, seal.number)
        _same(f"what seal {seal.number} names before it", before.id, seal.prev_seal)
        if seal.timestamp <= before.seal.timestamp:
            least = f"over {before.seal.timestamp}"
            raise ProofError(f"the time of seal {seal.number}", least, str(seal.timestamp))


def _check_signature(id_: Hash32, signed: SealSignature) -> None:
    """Check that the stated wallet's key signed a seal's id."""
    try:
        vrs = Signature(signed.signature[:-1] + bytes([signed.signature[-1] - 27]))
        found = Address(vrs.recover_public_key_from_msg_hash(id_).to_canonical_address())
    except (BadSignature, ValidationError, ValueError):
        raise ProofError("the signature", f"one of {signed.signer}", "none") from None
    _same("who signed the seal", found, signed.signer)
