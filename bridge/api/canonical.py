"""An entry's canonical encoding, word by word, as its page shows it and recomputes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledger.checks import metadata_of
from ledger.encoding import TYPES, address_word, uint_word
from ledger.hashing import keccak
from ledger.ids import metadata_ref

if TYPE_CHECKING:
    from ledger import Asset, Entry


class Word(NamedTuple):
    """One word of an encoding."""

    name: str
    shown: str
    """The value as people read it."""
    word: str
    """32 bytes, hex."""
    text: bool = False
    """Whether the word is the keccak of `shown` as UTF-8."""


class Encoding(NamedTuple):
    """What an entry's id is made of (EIP-712)."""

    domain: str
    metadata_type: str
    metadata: tuple[Word, ...]
    ref: str
    entry_type: str
    entry: tuple[Word, ...]
    id: str


def encoding_of(domain: bytes, asset: Asset, entry: Entry) -> Encoding:
    """Return every word that the id of `entry` is made of."""
    metadata = metadata_of(entry)
    ref = metadata_ref(metadata)
    texts = (
        ("reason", metadata.reason),
        ("referenceType", metadata.reference_type),
        ("referenceId", metadata.reference_id),
        ("memo", metadata.memo),
        ("idempotencyKey", metadata.idempotency_key),
    )
    words = [
        Word(name, text, "0x" + keccak(text.encode()).hex(), text=True) for name, text in texts
    ]
    words += [
        Word("group", str(metadata.group), str(metadata.group)),
        Word(
            "kind", str(metadata.kind), "0x" + keccak(str(metadata.kind).encode()).hex(), text=True
        ),
        Word("cause", str(metadata.cause), str(metadata.cause)),
        Word("blind", str(metadata.blind), str(metadata.blind)),
    ]
    return Encoding(
        domain="0x" + domain.hex(),
        metadata_type=TYPES["Metadata"],
        metadata=tuple(words),
        ref=str(ref),
        entry_type=TYPES["Entry"],
        entry=(
            Word("asset", str(asset.id), str(asset.id)),
            Word("seq", str(entry.seq), _hex(uint_word(entry.seq))),
            Word("from", str(entry.from_address), _hex(address_word(entry.from_address))),
            Word("to", str(entry.to_address), _hex(address_word(entry.to_address))),
            Word("amount", str(entry.amount), _hex(uint_word(entry.amount))),
            Word("timestamp", str(entry.timestamp), _hex(uint_word(entry.timestamp))),
            Word("ref", str(ref), str(ref)),
        ),
        id=str(entry.id),
    )


def _hex(word: bytes) -> str:
    """Return a word as hex."""
    return "0x" + word.hex()
