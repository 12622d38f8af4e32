"""What `eth_getProof` answered (EIP-1186), checked against a state root and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.rlp import decode, decode_list, to_int
from bridge.trie import EMPTY_ROOT, lookup
from ledger.hashing import KECCAK_EMPTY, keccak
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.trie import Known

_NO_CODE: Final = Hash32(KECCAK_EMPTY)
_ACCOUNT_FIELDS: Final = 4


@dataclass(frozen=True, slots=True)
class ProvenAccount:
    """An account in one state, and the slots that were asked for."""

    exists: bool
    nonce: int
    balance: int
    """In wei: the chain's own coin, no token."""
    storage_root: Hash32
    code_hash: Hash32
    slots: tuple[int, ...]
    """The values of the slots, in the order in which they were asked for; 0 where nothing lies."""

    @property
    def has_code(self) -> bool:
        """Whether there is a contract."""
        return self.code_hash != _NO_CODE


_NOTHING: Final = ProvenAccount(
    exists=False, nonce=0, balance=0, storage_root=EMPTY_ROOT, code_hash=_NO_CODE, slots=()
)


def check_account(
    state_root: Hash32, address: Address, slots: Sequence[Hash32], answer: Mapping[str, Any]
) -> ProvenAccount:
    """Return the account at `address` in the state with `state_root`, as the proof shows it.

    What the answer says beside its proofs must be what they show: a node that says one thing and
    proves another is not believed in either.

    Raises:
        KeyError, TypeError, ValueError: the answer is malformed, or proves something else; the
            text of a ValueError says what.
    """
    if _bytes(answer["address"]) != address:
        raise ValueError(f"it is of {answer['address']}, asked for was {address}")
    known: Known = {}
    try:
        leaf = lookup(state_root, keccak(address), _nodes(answer["accountProof"]), known)
        found = _NOTHING if leaf is None else _account(leaf)
    except ValueError as error:
        raise ValueError(f"the account's proof fails against the state root: {error}") from None
    _check_stated(found, answer)
    proofs = answer["storageProof"]
    if type(proofs) is not list or len(proofs) != len(slots):
        raise ValueError(f"it has not {len(slots)} storage proofs, one for each slot asked for")
    root = found.storage_root
    values = tuple(_slot(root, *both, known) for both in zip(slots, proofs, strict=True))
    return ProvenAccount(
        found.exists, found.nonce, found.balance, root, found.code_hash, slots=values
    )


def _account(leaf: bytes) -> ProvenAccount:
    """Return the account in the value of its leaf (Yellow Paper, 4.1)."""
    items = decode_list(leaf)
    if len(items) != _ACCOUNT_FIELDS:
        raise ValueError(f"an account has {_ACCOUNT_FIELDS} fields, not {len(items)}")
    nonce, balance, storage_root, code_hash = items
    if storage_root.is_list or code_hash.is_list:
        raise ValueError("an account's storage root or code hash is a list")
    return ProvenAccount(
        exists=True,
        nonce=to_int(nonce, 8),
        balance=to_int(balance),
        storage_root=Hash32(storage_root.payload),
        code_hash=Hash32(code_hash.payload),
        slots=(),
    )


def _check_stated(proven: ProvenAccount, answer: Mapping[str, Any]) -> None:
    """Raise ValueError if the answer says something else of the account than its proof."""
    stated = {
        "nonce": (_number(answer["nonce"]), proven.nonce),
        "balance": (_number(answer["balance"]), proven.balance),
        "storageHash": (Hash32(_bytes(answer["storageHash"])), proven.storage_root),
        "codeHash": (Hash32(_bytes(answer["codeHash"])), proven.code_hash),
    }
    for name, (says, shows) in stated.items():
        if says != shows:
            raise ValueError(f"its {name} is {says}, its proof shows {shows}")


def _slot(root: Hash32, slot: Hash32, proof: Mapping[str, Any], known: Known) -> int:
    """Return the value at `slot` under the storage root, as `proof` shows it."""
    if _number(proof["key"]) != int.from_bytes(slot, "big"):
        raise ValueError(f"a storage proof is of slot {proof['key']}, asked for was {slot}")
    try:
        leaf = lookup(root, keccak(slot), _nodes(proof["proof"]), known)
        # A leaf that says zero says what no leaf says; the root commits to it either way.
        value = 0 if leaf is None else to_int(decode(leaf))
    except ValueError as error:
        raise ValueError(f"the proof of slot {slot} fails: {error}") from None
    if _number(proof["value"]) != value:
        raise ValueError(f"slot {slot} is said to be {proof['value']}, its proof shows {value:#x}")
    return value


def _nodes(found: object) -> list[bytes]:
    """Return the nodes of a proof."""
    if type(found) is not list:
        raise ValueError("a proof must be a list of nodes")
    return [_bytes(node) for node in found]


def _bytes(found: object) -> bytes:
    """Return bytes in an answer."""
    if type(found) is not str or not found.startswith("0x"):
        raise ValueError("bytes must be text that starts with 0x")
    return bytes.fromhex(found[2:])


def _number(found: object) -> int:
    """Return a number in an answer, in however many digits."""
    if type(found) is not str or not found.startswith("0x"):
        raise ValueError("a number must be text that starts with 0x")
    return int(found, 16)
