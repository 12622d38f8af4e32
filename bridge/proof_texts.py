"""What a proof proves, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.proofs import BalanceProof, EntryProof
from ledger.amounts import format_amount
from ledger.model import ZERO_ADDRESS, Address
from ledger.views import counted, one_line, time_text

if TYPE_CHECKING:
    from bridge.balance_files import BalanceTable
    from bridge.proof_checks import Anchor, Proved
    from bridge.proofs import ConsistencyProof, Opening


def proved_text(proved: Proved) -> str:
    """Return what is proved, and what it hangs from, in lines."""
    proof = proved.proof
    if isinstance(proof, EntryProof):
        lines = _entry_lines(proof)
    elif isinstance(proof, BalanceProof):
        lines = [_balance_line(proof)]
    else:
        lines = [_growth_line(proof)]
    lines += [f"  ledger  {proof.ledger_id}"]
    if isinstance(proof, BalanceProof):
        lines += [f"  root    {proof.root} of the balances"]
    for anchor in proved.anchors:
        lines += _anchor_lines(anchor, with_root=not isinstance(proof, BalanceProof))
    return "\n".join(lines)


def _entry_lines(proof: EntryProof) -> list[str]:
    """Return what is proved of an entry."""
    entry, symbol = proof.entry, one_line(proof.asset.symbol)
    amount = format_amount(entry.amount, proof.asset.decimals)
    from_ = _holder(entry.from_, proof.from_)
    to = _holder(entry.to, proof.to)
    moved = f"{amount} {symbol} from {from_} to {to}"
    lines = [f"entry {entry.seq} of {symbol}: {moved}, {time_text(entry.timestamp)}"]
    if proof.metadata is not None:
        shown = {
            "reason": proof.metadata.reason,
            "reference": " ".join(
                filter(None, (proof.metadata.reference_type, proof.metadata.reference_id))
            ),
            "memo": proof.metadata.memo,
        }
        lines += [f"  {name:9} {one_line(text)}" for name, text in shown.items() if text]
    return [*lines, f"  id      {proof.entry_id}"]


def _balance_line(proof: BalanceProof) -> str:
    """Return what is proved of a balance."""
    leaf, batch, symbol = proof.leaf, proof.evidence.batch, one_line(proof.asset.symbol)
    amount = format_amount(leaf.balance, proof.asset.decimals)
    return (
        f"{_holder(leaf.account, proof.account)} had {amount} {symbol} after entry "
        f"{batch.last_seq}, as token {leaf.token} on chain {leaf.chain_id}"
    )


def _growth_line(proof: ConsistencyProof) -> str:
    """Return what is proved of a journal."""
    old, new = proof.old.batch.last_seq, proof.new.batch.last_seq
    return f"{one_line(proof.asset.symbol)}: the {new} entries begin with the same {old} as before"


def _holder(address: bytes, opening: Opening | None) -> str:
    """Return how an account is named."""
    if opening is not None:
        return f"{one_line(opening.account_id)} ({Address(address)})"
    return "the issuer" if address == ZERO_ADDRESS else str(Address(address))


def _anchor_lines(anchor: Anchor, *, with_root: bool) -> list[str]:
    """Return what a proof hangs from."""
    batch = anchor.batch
    lines = [f"  root    {batch.tree_root} of entries 1 .. {batch.last_seq}"] if with_root else []
    signed = "" if anchor.signer is None else f", signed by {anchor.signer}"
    return [
        *lines,
        f"  batch   {anchor.batch_id} (number {batch.number})",
        f"  seal    {anchor.seal_id} (number {anchor.seal_number}){signed}",
    ]


def proved_json(proved: Proved) -> dict[str, Any]:
    """Return the same as JSON has it."""
    proof = proved.proof
    return {
        "kind": str(proved.kind),
        "ledger_id": str(proof.ledger_id),
        "asset_id": str(proved.asset_id),
        "symbol": proof.asset.symbol,
        **_own_json(proved),
        "roots": [str(root) for root in proved.roots],
        "anchors": [_anchor_json(anchor) for anchor in proved.anchors],
    }


def _own_json(proved: Proved) -> dict[str, Any]:
    """Return what only one kind of proof proves."""
    proof = proved.proof
    if isinstance(proof, EntryProof):
        entry = proof.entry
        return {
            "seq": entry.seq,
            "id": str(proof.entry_id),
            "from": str(Address(entry.from_)),
            "to": str(Address(entry.to)),
            "amount": str(entry.amount),
            "timestamp": entry.timestamp,
        }
    if isinstance(proof, BalanceProof):
        leaf = proof.leaf
        return {
            "account": str(leaf.account),
            "balance": str(leaf.balance),
            "token": str(leaf.token),
            "chain_id": str(leaf.chain_id),
            "seq": proof.evidence.batch.last_seq,
        }
    return {"old_seq": proof.old.batch.last_seq, "seq": proof.new.batch.last_seq}


def balances_text(table: BalanceTable) -> str:
    """Return what a whole tree of balances shows, in lines."""
    first = table.leaves[0]
    have = f"{counted(len(table.leaves), 'account')} with {table.total} base units together"
    return "\n".join(
        (
            f"{have}, each once, as token {first.token} on chain {first.chain_id}",
            f"  root    {table.root} of the balances",
            f"  batch   {first.batch_id}",
        )
    )


def balances_json(table: BalanceTable) -> dict[str, Any]:
    """Return the same as JSON has it."""
    first = table.leaves[0]
    return {
        "kind": "balances",
        "accounts": len(table.leaves),
        "total": str(table.total),
        "token": str(first.token),
        "chain_id": str(first.chain_id),
        "batch_id": str(first.batch_id),
        "roots": [str(table.root)],
    }


def _anchor_json(anchor: Anchor) -> dict[str, Any]:
    """Return what a proof hangs from."""
    return {
        "batch": anchor.batch.number,
        "batch_id": str(anchor.batch_id),
        "seal": anchor.seal_number,
        "seal_id": str(anchor.seal_id),
        "signer": None if anchor.signer is None else str(anchor.signer),
    }
