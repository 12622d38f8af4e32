"""Making proofs from a ledger. What is made is checked before it is given away."""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from bridge.artifacts import token_address
from bridge.balance_files import dump_balances
from bridge.errors import BridgeError, ProofError
from bridge.files import placeholder_address
from bridge.oz_tree import StandardTree
from bridge.proof_checks import check_proof
from bridge.proof_files import MAX_SEALS
from bridge.proofs import (
    BalanceLeaf,
    BalanceProof,
    ConsistencyProof,
    EntryProof,
    Evidence,
    Opening,
    StatedSeal,
)
from ledger.amounts import check_uint
from ledger.checks import metadata_of
from ledger.errors import CorruptError
from ledger.ids import metadata_ref
from ledger.merkle import Frontier, consistency_ranges, inclusion_ranges
from ledger.model import ISSUER, AssetTerms, EntryWords, Hash32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.proofs import SealSignature
    from ledger import Ledger
    from ledger.merkle import LeafRange
    from ledger.model import Address, Metadata
    from ledger.results import Asset, Entry, Sealed, SealedBatch

P = TypeVar("P", EntryProof, BalanceProof, ConsistencyProof)

_CHAIN_ID_BITS: Final = 256


def prove_entry(
    ledger: Ledger,
    entry_id: Hash32,
    *,
    seal: int | None = None,
    signature: SealSignature | None = None,
    private: bool = False,
    open_accounts: bool = False,
) -> EntryProof:
    """Return the proof that the journal has an entry, up to the seal that first had it.

    Args:
        ledger: where it is.
        entry_id: the entry's id.
        seal: number of a later seal to prove it up to, such as one that the reader knows.
        signature: of a wallet over that seal's id.
        private: leave out what `ref` commits to: reason, references, memo.
        open_accounts: show the ids of accounts with derived addresses, and that they are theirs.

    Raises:
        NotFoundError: UNKNOWN_ENTRY.
        BridgeError: the entry is not sealed by then.
        CorruptError: what is stored does not give a proof: run `evm-ledger audit`.
    """
    entry = ledger.entry(entry_id)
    asset = ledger.asset(entry.asset)
    batch = ledger.batch_with(entry.seq, asset.symbol)
    if seal is not None and batch is not None:
        batch = ledger.batch_until(seal, asset.symbol) if batch.seal <= seal else None
    if batch is None:
        until = "" if seal is None else f" up to seal {seal}"
        raise BridgeError(
            f"entry {entry.seq} of {asset.symbol} is not sealed{until}: run `evm-ledger seal`"
        )
    ranges = inclusion_ranges(entry.seq - 1, batch.batch.last_seq)
    metadata = metadata_of(entry)
    proof = EntryProof(
        ledger_id=ledger.identity.ledger_id,
        asset=_terms(asset),
        entry=_words(asset, entry, metadata),
        entry_id=entry.id,
        metadata=None if private else metadata,
        from_=_opening(ledger, entry.from_account) if open_accounts else None,
        to=_opening(ledger, entry.to_account) if open_accounts else None,
        path=_path(ledger, asset, ranges),
        evidence=_evidence(ledger, batch, seal, signature),
    )
    return _checked(proof)


def prove_consistency(
    ledger: Ledger,
    old_seal: int,
    new_seal: int | None = None,
    asset: str | None = None,
    *,
    signature: SealSignature | None = None,
) -> ConsistencyProof:
    """Return the proof that an asset's journal only grew from seal `old_seal` to `new_seal`.

    The seal of the last batch unless another is named; `signature` is over the new one's id.

    Raises:
        BridgeError: a seal is not there, or nothing of the asset is in one and not in the other.
        CorruptError: what is stored does not give a proof: run `evm-ledger audit`.
    """
    counted = ledger.asset(asset)
    old, new = (_batch_until(ledger, counted, seal) for seal in (old_seal, new_seal))
    if old.batch.number >= new.batch.number:
        raise BridgeError(
            f"{counted.symbol} has no batch after seal {old_seal}, or none up to the new one: name "
            "seals between which it grew"
        )
    ranges = consistency_ranges(old.batch.last_seq, new.batch.last_seq)
    proof = ConsistencyProof(
        ledger_id=ledger.identity.ledger_id,
        asset=_terms(counted),
        old=_evidence(ledger, old, old_seal, None),
        new=_evidence(ledger, new, new_seal, signature),
        path=_path(ledger, counted, ranges),
    )
    return _checked(proof)


class BalanceTree:
    """What every account had of an asset right after a batch, in OpenZeppelin's standard tree.

    A leaf is (account, balance, token, chain id, batch id), by address, of every account that had
    anything. Before there is a token or a chain, the leaves have what exports have instead: the
    asset's placeholder and the ledger's own chain id.
    """

    def __init__(
        self,
        ledger: Ledger,
        asset: str | None = None,
        *,
        seal: int | None = None,
        chain_id: int | None = None,
        token: Address | None = None,
    ) -> None:
        """Read the balances right after the last batch of `asset` up to `seal`, or of all.

        Raises:
            BridgeError: nothing is sealed by then, or nobody had anything.
            FieldError: the chain id is no uint256.
            CorruptError: the balances are not the supply: run `evm-ledger audit`.
        """
        counted = ledger.asset(asset)
        self.batch = _batch_until(ledger, counted, seal)
        self._ledger = ledger
        self._asset = counted
        self._seal = seal
        own = token_address(ledger.identity.ledger_id, counted)
        token = token or own or placeholder_address(counted.id)
        chain_id = ledger.identity.chain_id if chain_id is None else chain_id
        check_uint(chain_id, _CHAIN_ID_BITS, "chain_id")
        self.leaves = tuple(
            BalanceLeaf(account, balance, token, chain_id, self.batch.id)
            for account, balance in self._holders()
        )
        if not self.leaves:
            raise BridgeError(f"nobody had any {counted.symbol} then: a tree has leaves")
        self.tree = StandardTree.of(leaf.encoded() for leaf in self.leaves)

    def _holders(self) -> list[tuple[Address, int]]:
        """Return who had anything, by address."""
        supply, held = 0, []
        seq = self.batch.batch.last_seq
        for account_id, address, balance in self._ledger.past_balances(seq, self._asset.symbol):
            if account_id == ISSUER:
                supply = balance
            elif balance:
                held.append((address, balance))
        total = sum(balance for _, balance in held)
        if total != supply:
            raise CorruptError(
                f"{self._asset.symbol}: the balances after entry {seq} are {total}, the supply "
                f"{supply}: run `evm-ledger audit`"
            )
        return sorted(held)

    @property
    def root(self) -> Hash32:
        """The root, to be published: a proof of a balance is worth what is known of it."""
        return Hash32(self.tree.root)

    def prove(
        self,
        account_id: str,
        *,
        seal: int | None = None,
        signature: SealSignature | None = None,
        open_account: bool = False,
    ) -> BalanceProof:
        """Return the proof of what an account had, up to the tree's seal, or to a later `seal`.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            BridgeError: it had nothing.
        """
        account = self._ledger.account(account_id)
        position = bisect_left(self.leaves, account.address, key=lambda leaf: leaf.account)
        leaf = self.leaves[position] if position < len(self.leaves) else None
        if leaf is None or leaf.account != account.address:
            number = self.batch.batch.number
            raise BridgeError(
                f"{account_id} had no {self._asset.symbol} after batch {number}: there is nothing "
                "to prove"
            )
        proof = BalanceProof(
            ledger_id=self._ledger.identity.ledger_id,
            asset=_terms(self._asset),
            leaf=leaf,
            account=_opening(self._ledger, account.account_id) if open_account else None,
            path=tuple(map(Hash32, self.tree.proof(position))),
            root=self.root,
            evidence=_evidence(self._ledger, self.batch, seal or self._seal, signature),
        )
        return _checked(proof)

    def dump(self) -> bytes:
        """Return the tree as a file of JSON, which `StandardMerkleTree.load` reads parsed."""
        return dump_balances(self.tree, self.leaves)


def last_seal(ledger: Ledger) -> int:
    """Return the number of the last seal.

    Raises:
        BridgeError: nothing is sealed.
    """
    number = ledger.last_seal()
    if not number:
        raise BridgeError("nothing is sealed yet; run `evm-ledger seal` first")
    return number


# --- parts ---


def _terms(asset: Asset) -> AssetTerms:
    """Return what an asset's id commits to."""
    return AssetTerms(asset.symbol, asset.name, asset.decimals)


def _words(asset: Asset, entry: Entry, metadata: Metadata) -> EntryWords:
    """Return what an entry's id commits to."""
    return EntryWords(
        asset.id,
        entry.seq,
        entry.from_address,
        entry.to_address,
        entry.amount,
        entry.timestamp,
        metadata_ref(metadata),
    )


def _opening(ledger: Ledger, account_id: str) -> Opening | None:
    """Return what opens the address of an account; None where the address is not derived."""
    account = ledger.account(account_id)
    if not account.derived:
        return None
    return Opening(account.account_id, account.blind, account.registrar)


def _batch_until(ledger: Ledger, asset: Asset, seal: int | None) -> SealedBatch:
    """Return the last batch of `asset`, up to `seal` if one is named; it must be there."""
    last = last_seal(ledger)
    batch = ledger.batch_until(last if seal is None else seal, asset.symbol)
    if batch is None:
        until = "yet: run `evm-ledger seal`" if seal is None else f"up to seal {seal}"
        raise BridgeError(f"no entry of {asset.symbol} is sealed {until}")
    return batch


def _evidence(
    ledger: Ledger, batch: SealedBatch, seal: int | None, signature: SealSignature | None
) -> Evidence:
    """Return the batch with the seals from its own to `seal`."""
    last = batch.seal if seal is None else seal
    if last - batch.seal >= MAX_SEALS:
        raise BridgeError(
            f"seal {last} is more than {MAX_SEALS} seals after batch {batch.batch.number} of "
            f"{batch.symbol}: name an earlier one"
        )
    found: list[Sealed] = list(islice(ledger.seals(batch.seal), last - batch.seal + 1))
    if not found or found[-1].seal.number != last:
        raise BridgeError(f"there is no seal {last}; the last is {last_seal(ledger)}")
    seals = tuple(StatedSeal(sealed.seal, sealed.id) for sealed in found)
    return Evidence(batch.batch, batch.id, seals, signature)


def _path(ledger: Ledger, asset: Asset, ranges: Sequence[LeafRange]) -> tuple[Hash32, ...]:
    """Return the roots of subtrees, in the order of `ranges`; the journal is read once."""
    roots: dict[LeafRange, Hash32] = {}
    for start, end in sorted(ranges):
        ids = ledger.entry_ids(asset.symbol, start + 1, last=end)
        roots[start, end] = Hash32(Frontier().extend(ids).root())
    return tuple(roots[each] for each in ranges)


def _checked(proof: P) -> P:
    """Return `proof` if it holds."""
    try:
        check_proof(proof)
    except ProofError as error:
        raise CorruptError(f"the ledger proves nothing: {error}; run `evm-ledger audit`") from None
    return proof
