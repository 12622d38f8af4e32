"""Ids and heads against eth-account, over the full range of every word."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import ids
from ledger.addresses import account_salt
from ledger.encoding import TYPES, ledger_domain
from ledger.model import ZERO_HASH, Address, EntryWords, Hash32, Metadata
from tests.core import strategies as some
from tests.core.golden import vectors

if TYPE_CHECKING:
    from eth_account.messages import SignableMessage

    from ledger.model import AssetTerms, Batch, HoldWords, Seal

LEDGER_TYPES = ["string name", "string version", "bytes32 salt"]
NO_VECTORS = {
    "Hold": "Hold(bytes32 asset,uint64 number,address from,address to,uint256 amount,"
    "uint64 timestamp,uint64 expiry,bytes32 ref)",
}
"""Types that the golden vectors, which are older, do not have (docs/formats.md)."""
TOKEN_TYPES = ["string name", "string version", "uint256 chainId", "address verifyingContract"]


def members(words: list[str]) -> list[dict[str, str]]:
    """Return "uint256 chainId" and so on as EIP-712's JSON writes them."""
    return [dict(zip(("type", "name"), word.split(" "), strict=True)) for word in words]


def typed(
    primary: str, message: dict[str, Any], domain: dict[str, Any], domain_types: list[str]
) -> SignableMessage:
    """Return what eth-account makes of `message`: its body is hashStruct, its header the domain."""
    written = {**vectors()["types"], **NO_VECTORS}[primary]
    written = written.removeprefix(primary).strip("()").split(",")
    types = {"EIP712Domain": members(domain_types), primary: members(written)}
    return encode_typed_data(
        full_message={
            "types": types,
            "primaryType": primary,
            "domain": domain,
            "message": message,
        }
    )


def in_ledger(ledger_id: bytes, primary: str, message: dict[str, Any]) -> SignableMessage:
    domain = {"name": "evm-ledger", "version": "1", "salt": ledger_id}
    return typed(primary, message, domain, LEDGER_TYPES)


def digest(message: SignableMessage) -> bytes:
    return bytes(eth_keccak(b"\x19" + message.version + message.header + message.body))


def camel(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a dataclass by the names they have in the format."""
    return {
        name.split("_")[0] + "".join(part.capitalize() for part in name.split("_")[1:]): value
        for name, value in fields.items()
    }


def test_the_types_are_the_formats() -> None:
    assert vectors()["types"] == TYPES


@given(some.hashes)
def test_the_domain_is_eth_accounts(ledger_id: Hash32) -> None:
    message = in_ledger(ledger_id, "Group", {"asset": ZERO_HASH, "seq": 1, "count": 2})
    assert ledger_domain(ledger_id) == message.header


@given(some.hashes, some.entries)
def test_entry_ids_are_eth_accounts(ledger_id: Hash32, entry: EntryWords) -> None:
    message = {
        "asset": entry.asset,
        "seq": entry.seq,
        "from": str(Address(entry.from_)),
        "to": str(Address(entry.to)),
        "amount": entry.amount,
        "timestamp": entry.timestamp,
        "ref": entry.ref,
    }
    expected = digest(in_ledger(ledger_id, "Entry", message))
    assert ids.entry_id(ledger_domain(ledger_id), entry) == expected


@given(some.hashes, some.holds)
def test_hold_ids_are_eth_accounts(ledger_id: Hash32, hold: HoldWords) -> None:
    message = {
        "asset": hold.asset,
        "number": hold.number,
        "from": str(Address(hold.from_)),
        "to": str(Address(hold.to)),
        "amount": hold.amount,
        "timestamp": hold.timestamp,
        "expiry": hold.expiry,
        "ref": hold.ref,
    }
    expected = digest(in_ledger(ledger_id, "Hold", message))
    assert ids.hold_id(ledger_domain(ledger_id), hold) == expected


@given(some.metadata)
def test_refs_are_eth_accounts(metadata: Metadata) -> None:
    message = camel(metadata._asdict())
    assert ids.metadata_ref(metadata) == in_ledger(ZERO_HASH, "Metadata", message).body


@given(some.asset_terms)
def test_asset_ids_are_eth_accounts(terms: AssetTerms) -> None:
    message = camel(dataclasses.asdict(terms))
    assert ids.asset_id(terms) == in_ledger(ZERO_HASH, "Asset", message).body


@given(some.hashes, some.hashes, some.u64, st.integers(0, 2**32 - 1))
def test_group_ids_are_eth_accounts(ledger_id: Hash32, asset: Hash32, seq: int, count: int) -> None:
    message = {"asset": asset, "seq": seq, "count": count}
    expected = digest(in_ledger(ledger_id, "Group", message))
    assert ids.group_id(ledger_domain(ledger_id), asset, seq, count) == expected


@given(some.hashes, some.batches)
def test_batch_ids_are_eth_accounts(ledger_id: Hash32, batch: Batch) -> None:
    expected = digest(in_ledger(ledger_id, "Batch", camel(dataclasses.asdict(batch))))
    assert ids.batch_id(ledger_domain(ledger_id), batch) == expected


@given(some.hashes, some.seals)
def test_seal_ids_are_eth_accounts(ledger_id: Hash32, seal: Seal) -> None:
    message = {**camel(dataclasses.asdict(seal)), "batches": [*seal.batches]}
    expected = digest(in_ledger(ledger_id, "Seal", message))
    assert ids.seal_id(ledger_domain(ledger_id), seal) == expected


@given(some.hashes, some.hashes, some.addresses)
def test_salts_are_eth_accounts(ledger_id: Hash32, key: Hash32, registrar: Address) -> None:
    message = {"ledger": ledger_id, "key": key, "registrar": str(registrar)}
    expected = in_ledger(ZERO_HASH, "Account", message).body
    assert account_salt(ledger_id, key, registrar) == expected


@given(some.hashes, some.texts, some.addresses, some.amounts)
def test_link_digests_are_eth_accounts(
    ledger_id: Hash32, account_id: str, wallet: Address, chain_id: int
) -> None:
    message = {"accountId": account_id, "wallet": str(wallet), "chainId": chain_id}
    expected = digest(in_ledger(ledger_id, "Link", message))
    assert ids.link_digest(ledger_domain(ledger_id), account_id, wallet, chain_id) == expected


@given(some.texts, some.amounts, some.addresses, some.hashes, some.amounts, some.amounts)
def test_claim_digests_are_eth_accounts(  # noqa: PLR0917 (the words of a claim and its domain)
    name: str, chain_id: int, token: Address, key: Hash32, nonce: int, deadline: int
) -> None:
    domain = {
        "name": name,
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": str(token),
    }
    message = {"key": key, "wallet": str(token), "nonce": nonce, "deadline": deadline}
    expected = digest(typed("Claim", message, domain, TOKEN_TYPES))
    token_domain = ids.claim_domain(name, chain_id, token)
    assert ids.claim_digest(token_domain, key, token, nonce, deadline) == expected


@given(some.hashes, some.hashes, some.entries, some.metadata)
def test_chained_is_the_ref_the_id_and_the_head(
    ledger_id: Hash32, head: Hash32, entry: EntryWords, metadata: Metadata
) -> None:
    domain = ledger_domain(ledger_id)
    id_, next_ = ids.chained(domain, head, entry, metadata)
    whole = entry._replace(ref=ids.metadata_ref(metadata))
    assert id_ == ids.entry_id(domain, whole)
    assert next_ == ids.next_head(head, id_) == eth_keccak(head + id_)


@given(some.hashes, some.hashes)
def test_heads_and_histories_are_running_hashes(one: Hash32, other: Hash32) -> None:
    assert ids.first_head(one, other) == eth_keccak(one + other)
    assert ids.next_history(one, other) == eth_keccak(one + other)


@given(some.amounts, some.hashes, some.amounts)
def test_a_chain_cause_is_abi_encoded(chain_id: int, block: Hash32, log_index: int) -> None:
    words = chain_id.to_bytes(32, "big") + block + log_index.to_bytes(32, "big")
    assert ids.chain_cause(chain_id, block, log_index) == eth_keccak(words)


@pytest.mark.parametrize(
    ("ledger_id", "chain_id"),
    [(0, 2**50), (1, 2**50 + 1), (2**50, 2**50), (2**256 - 1, 2**51 - 1)],
)
def test_a_ledgers_own_chain_id_has_51_bits(ledger_id: int, chain_id: int) -> None:
    assert ids.ledger_chain_id(ledger_id.to_bytes(32, "big")) == chain_id


TEXTS = ["reason", "reference_type", "reference_id", "memo", "idempotency_key", "kind"]


@pytest.mark.parametrize(("one", "other"), [*pairwise(TEXTS)])
def test_text_cannot_move_from_one_field_to_the_next(one: str, other: str) -> None:
    split = [("a|b", "c"), ("a", "b|c"), ("ab", ""), ("", "ab"), ("a", "b")]
    fields: list[dict[str, Any]] = [{one: left, other: right} for left, right in split]
    refs = [ids.metadata_ref(Metadata(**words)) for words in fields]
    assert len({*refs}) == len(split)


EXTREME = EntryWords(
    asset=Hash32(b"\xff" * 32),
    seq=2**64 - 1,
    from_=Address(b"\xff" * 20),
    to=Address(b"\xff" * 20),
    amount=2**256 - 1,
    timestamp=2**64 - 1,
    ref=Hash32(b"\xff" * 32),
)


@pytest.mark.parametrize("word", EntryWords._fields)
def test_every_word_changes_the_id(word: str) -> None:
    value = getattr(EXTREME, word)
    other = value - 1 if isinstance(value, int) else value[:-1] + b"\xfe"
    words: dict[str, Any] = {word: other}
    changed = EXTREME._replace(**words)
    domain = ledger_domain(ZERO_HASH)
    assert ids.entry_id(domain, changed) != ids.entry_id(domain, EXTREME)


@pytest.mark.parametrize("amount", [-1, 2**256])
def test_a_number_that_is_no_word_has_no_id(amount: int) -> None:
    with pytest.raises(OverflowError):
        ids.entry_id(ZERO_HASH, EXTREME._replace(amount=amount))
