"""What the tests of proofs share: one proof of each kind, and how each may be corrupted."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from eth_account import Account

from bridge.checkpoint import read_checkpoint, write_checkpoint
from bridge.errors import BridgeError
from bridge.keys import Signer
from bridge.proof_checks import Proved, check_proof
from bridge.proof_files import parse_proof
from bridge.proofs import SealSignature
from bridge.proving import BalanceTree, prove_consistency, prove_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.proofs import Proof
    from ledger import Ledger

KINDS: Final = ("entry", "balance", "consistency")
WALLET: Final = Signer(Account.from_key("0x" + "5a" * 32))
"""Who signs checkpoints in these tests."""


def proofs_of(ledger: Ledger, folder: Path) -> dict[str, Proof]:
    """Return a proof of each kind from the small ledger, with all that a proof can have."""
    path = folder / "checkpoint.json"
    write_checkpoint(ledger, path, WALLET)
    checkpoint = read_checkpoint(path, ledger.identity.ledger_id, WALLET.address)
    signature = SealSignature(WALLET.address, checkpoint.signature)
    swap = next(it for it in ledger.entries("SCI") if it.reference_id)
    return {
        "entry": prove_entry(
            ledger, swap.id, seal=checkpoint.number, signature=signature, open_accounts=True
        ),
        "balance": BalanceTree(ledger, "SCI").prove("böb", signature=signature, open_account=True),
        "consistency": prove_consistency(ledger, 1, asset="SCI", signature=signature),
    }


def holds(text: bytes) -> Proved:
    """Return what `text` proves; BridgeError if it proves nothing."""
    return check_proof(parse_proof(text))


def is_rejected(text: bytes) -> bool:
    """Tell whether `text` is refused, with an error of ours."""
    try:
        holds(text)
    except BridgeError:
        return True
    return False


def written(document: object) -> bytes:
    """Return a document as a proof is written, whatever is in it."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def altered(text: bytes, change: Callable[[Any], object]) -> bytes:
    """Return a proof in which `change` altered the JSON."""
    document = json.loads(text)
    change(document)
    return written(document)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (JSON)
    """Yield the path of everything in a JSON document."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def replaced(document: object, path: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401 (JSON)
    """Return a copy of `document` with `value` at `path`."""
    changed: Any = copy.deepcopy(document)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return changed
