"""EIP-712 hashStruct of every type in the formats, written out by hand because it is the hot path.

`hashStruct(s) = keccak(typeHash || encodeData(s))`, each member one 32-byte word; strings and
arrays by their keccak (EIP-712, "Definition of hashStruct" and "Definition of encodeData").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.hashing import keccak, keccak_text, keccak_unique_text

if TYPE_CHECKING:
    from ledger.model import AssetTerms, Batch, EntryWords, HoldWords, Metadata, Seal

TYPES = {
    "Asset": "Asset(string symbol,string name,uint8 decimals)",
    "Account": "Account(bytes32 ledger,bytes32 key,address registrar)",
    "Metadata": (
        "Metadata(string reason,string referenceType,string referenceId,string memo,"
        "string idempotencyKey,bytes32 group,string kind,bytes32 cause,bytes32 blind)"
    ),
    "Group": "Group(bytes32 asset,uint64 seq,uint32 count)",
    "Entry": (
        "Entry(bytes32 asset,uint64 seq,address from,address to,uint256 amount,"
        "uint64 timestamp,bytes32 ref)"
    ),
    "Batch": (
        "Batch(bytes32 asset,uint64 number,uint64 firstSeq,uint64 lastSeq,bytes32 prevHead,"
        "bytes32 newHead,bytes32 treeRoot,bytes32 payloadHash)"
    ),
    "Seal": "Seal(uint64 number,bytes32 prevSeal,uint64 timestamp,bytes32[] batches)",
    "Link": "Link(string accountId,address wallet,uint256 chainId)",
    "Claim": "Claim(bytes32 key,address wallet,uint256 nonce,uint256 deadline)",
}
"""encodeType of each struct, as EIP-712 writes it."""

HOLD_TYPE = (
    "Hold(bytes32 asset,uint64 number,address from,address to,uint256 amount,"
    "uint64 timestamp,uint64 expiry,bytes32 ref)"
)
"""encodeType of a hold, which is on no chain and in no golden vector; exports carry its id."""

TYPE_HASHES = {name: keccak_text(text) for name, text in TYPES.items()}

_LEDGER_DOMAIN = keccak_text("EIP712Domain(string name,string version,bytes32 salt)")
_TOKEN_DOMAIN = keccak_text(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_ASSET = TYPE_HASHES["Asset"]
_ACCOUNT = TYPE_HASHES["Account"]
_METADATA = TYPE_HASHES["Metadata"]
_GROUP = TYPE_HASHES["Group"]
_ENTRY = TYPE_HASHES["Entry"]
_HOLD = keccak_text(HOLD_TYPE)
_BATCH = TYPE_HASHES["Batch"]
_SEAL = TYPE_HASHES["Seal"]
_LINK = TYPE_HASHES["Link"]
_CLAIM = TYPE_HASHES["Claim"]
_PAD_ADDRESS = bytes(12)


def uint_word(value: int) -> bytes:
    """Return `value` (0 .. 2**256 - 1) as one 32-byte big-endian word."""
    return value.to_bytes(32, "big")


def address_word(address: bytes) -> bytes:
    """Return a 20-byte `address` left-padded to one word."""
    return _PAD_ADDRESS + address


def ledger_domain(ledger_id: bytes) -> bytes:
    """Return the domain separator of a ledger: name "evm-ledger", version "1", salt its id."""
    return keccak(_LEDGER_DOMAIN + keccak_text("evm-ledger") + keccak_text("1") + ledger_id)


def token_domain(name: str, chain_id: int, contract: bytes) -> bytes:
    """Return the domain separator of a token contract, in which claims and permits are signed."""
    return keccak(
        _TOKEN_DOMAIN
        + keccak_text(name)
        + keccak_text("1")
        + uint_word(chain_id)
        + address_word(contract)
    )


def digest(domain: bytes, struct: bytes) -> bytes:
    """Return the EIP-712 digest that a wallet signs: keccak(0x1901 || domain || struct)."""
    return keccak(b"\x19\x01" + domain + struct)


def asset_struct(asset: AssetTerms) -> bytes:
    """Return hashStruct of `Asset`, which is the asset's id."""
    return keccak(
        _ASSET + keccak_text(asset.symbol) + keccak_text(asset.name) + uint_word(asset.decimals)
    )


def account_struct(ledger_id: bytes, key: bytes, registrar: bytes) -> bytes:
    """Return hashStruct of `Account`, which is the CREATE2 salt of a derived address."""
    return keccak(_ACCOUNT + ledger_id + key + address_word(registrar))


def metadata_struct(metadata: Metadata) -> bytes:
    """Return hashStruct of `Metadata`, which is an entry's `ref`."""
    return metadata_hash(*metadata)


def metadata_hash(  # noqa: PLR0917 (the members of the type, in its order: the hot path)
    reason: str,
    reference_type: str,
    reference_id: str,
    memo: str,
    idempotency_key: str,
    group: bytes,
    kind: str,
    cause: bytes,
    blind: bytes,
) -> bytes:
    """Return hashStruct of the `Metadata` of these members."""
    return keccak(
        b"".join(
            (
                _METADATA,
                keccak_text(reason),
                keccak_text(reference_type),
                keccak_unique_text(reference_id),
                keccak_unique_text(memo),
                keccak_unique_text(idempotency_key),
                group,
                keccak_text(kind),
                cause,
                blind,
            )
        )
    )


def group_struct(asset: bytes, seq: int, count: int) -> bytes:
    """Return hashStruct of `Group`: the lowest (asset, seq) in the group, and its size."""
    return keccak(_GROUP + asset + uint_word(seq) + uint_word(count))


def entry_struct(entry: EntryWords, ref: bytes | None = None) -> bytes:
    """Return hashStruct of `Entry`; `ref` stands for the entry's own where it is given."""
    return entry_hash(*entry[:-1], entry.ref if ref is None else ref)


def entry_hash(  # noqa: PLR0917 (the members of the type, in its order: the hot path)
    asset: bytes, seq: int, from_: bytes, to: bytes, amount: int, timestamp: int, ref: bytes
) -> bytes:
    """Return hashStruct of the `Entry` of these members."""
    return keccak(
        b"".join(
            (
                _ENTRY,
                asset,
                seq.to_bytes(32, "big"),
                _PAD_ADDRESS,
                from_,
                _PAD_ADDRESS,
                to,
                amount.to_bytes(32, "big"),
                timestamp.to_bytes(32, "big"),
                ref,
            )
        )
    )


def hold_struct(hold: HoldWords) -> bytes:
    """Return hashStruct of `Hold`."""
    return keccak(
        _HOLD
        + hold.asset
        + uint_word(hold.number)
        + address_word(hold.from_)
        + address_word(hold.to)
        + uint_word(hold.amount)
        + uint_word(hold.timestamp)
        + uint_word(hold.expiry)
        + hold.ref
    )


def batch_struct(batch: Batch) -> bytes:
    """Return hashStruct of `Batch`."""
    return keccak(
        _BATCH
        + batch.asset
        + uint_word(batch.number)
        + uint_word(batch.first_seq)
        + uint_word(batch.last_seq)
        + batch.prev_head
        + batch.new_head
        + batch.tree_root
        + batch.payload_hash
    )


def seal_struct(seal: Seal) -> bytes:
    """Return hashStruct of `Seal`; the batch ids are hashed in the order given."""
    return keccak(
        _SEAL
        + uint_word(seal.number)
        + seal.prev_seal
        + uint_word(seal.timestamp)
        + keccak(b"".join(seal.batches))
    )


def link_struct(account_id: str, wallet: bytes, chain_id: int) -> bytes:
    """Return hashStruct of `Link`, by which an owner binds a wallet to an account."""
    return keccak(_LINK + keccak_text(account_id) + address_word(wallet) + uint_word(chain_id))


def claim_struct(key: bytes, wallet: bytes, nonce: int, deadline: int) -> bytes:
    """Return hashStruct of `Claim`; `deadline` in seconds since 1970, as Solidity has it."""
    return keccak(_CLAIM + key + address_word(wallet) + uint_word(nonce) + uint_word(deadline))
