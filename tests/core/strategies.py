"""What Hypothesis draws for the core: every value that the formats allow, over its full range."""

from __future__ import annotations

from hypothesis import strategies as st

from ledger.amounts import MAX_AMOUNT
from ledger.model import (
    ZERO_ADDRESS,
    Address,
    AssetTerms,
    Batch,
    EntryWords,
    Hash32,
    HoldWords,
    Kind,
    Metadata,
    Record,
    Seal,
)

hashes = st.binary(min_size=32, max_size=32).map(Hash32)
addresses = st.binary(min_size=20, max_size=20).map(Address)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
u64 = st.integers(0, 2**64 - 1)

# Plain integers() rarely reaches the end of its range, and powers of ten decide a payload's scale.
amounts = st.one_of(
    st.integers(0, MAX_AMOUNT),
    st.integers(MAX_AMOUNT - 2, MAX_AMOUNT),
    st.integers(0, 1000),
    st.builds(lambda digit, power: digit * 10**power, st.integers(1, 9), st.integers(0, 76)),
)

asset_terms = st.builds(AssetTerms, texts, texts, st.integers(0, 255))
metadata = st.builds(
    Metadata,
    reason=texts,
    reference_type=texts,
    reference_id=texts,
    memo=texts,
    idempotency_key=texts,
    group=hashes,
    kind=st.sampled_from(Kind),
    cause=hashes,
    blind=hashes,
)
entries = st.builds(EntryWords, hashes, u64, addresses, addresses, amounts, u64, hashes)
holds = st.builds(HoldWords, hashes, u64, addresses, addresses, amounts, u64, u64, hashes)
batches = st.builds(Batch, hashes, u64, u64, u64, hashes, hashes, hashes, hashes)
seals = st.builds(Seal, u64, hashes, u64, st.lists(hashes, max_size=5).map(tuple))

# Few addresses, so that they meet again; address zero among them.
_holders = st.sampled_from([ZERO_ADDRESS, *(Address(bytes(19) + bytes([n])) for n in range(1, 9))])
records = st.builds(Record, st.one_of(_holders, addresses), _holders, amounts).filter(
    lambda record: record.from_ != ZERO_ADDRESS or record.to != ZERO_ADDRESS
)
