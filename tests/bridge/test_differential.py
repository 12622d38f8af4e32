"""Python and Solidity agree: generated histories, replayed on a real node, read back from it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.codec import decode_result, encode_call
from bridge.deploy import deploy
from bridge.replay import replay
from bridge.tokens import ReplayedBatch, read_batches, read_replayed, read_token
from bridge.verify import verify
from ledger import Group, Ledger, Movement, OpenAccount, RefusedError
from ledger.addresses import account_key
from ledger.batches import records_of
from ledger.hashing import keccak
from ledger.ids import batch_id, first_head, next_history
from ledger.payload import encode_payload

if TYPE_CHECKING:
    import pytest

    from bridge.chain import Chain
    from bridge.keys import Signer
    from ledger import Asset
    from ledger.requests import Item

SYMBOLS = ("SCI", "GOLD")
NAMES = st.sampled_from(["alice", "böb", "carol 🙂", "d" * 255, "0x" + "ab" * 20, "0x" + "01" * 20])
SCALES = st.sampled_from([1, 10, 10**9, 10**18])
SMALL = st.builds(int.__mul__, st.integers(1, 255), SCALES)
HUGE = st.integers(2**200, 2**255)
MINTS = st.builds(
    Movement, st.just("system"), NAMES, SMALL | SMALL | HUGE, st.sampled_from(SYMBOLS)
)
MOVES = st.builds(Movement, NAMES, NAMES, SMALL, st.sampled_from(SYMBOLS))
GROUPS = st.builds(Group, st.lists(MINTS | MOVES, min_size=1, max_size=4).map(tuple))
HISTORIES = st.lists(MINTS | MOVES | MOVES | GROUPS | st.just("seal"), min_size=15, max_size=40)

_numbers = itertools.count()


def _book(url: str, history: list[Item | str]) -> Ledger:
    """Make a ledger of what the rules accept of `history`."""
    ledger = Ledger.create(url)
    for symbol in SYMBOLS:
        ledger.create_asset(symbol, f"{symbol} token", 0, endowment=0)
    for name in ("alice", "böb", "carol 🙂", "d" * 255, "0x" + "ab" * 20, "0x" + "01" * 20):
        (receipt,) = ledger.post_many([OpenAccount(name, 0, SYMBOLS[0])])
        assert not isinstance(receipt, RefusedError)
        ledger.mint(name, 1_000 * 10**18, asset=SYMBOLS[0])
    for item in history:
        if isinstance(item, str):
            ledger.seal()
        else:
            ledger.post_many([item])
    while ledger.seal():
        pass
    return ledger


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(history=HISTORIES)
def test_python_and_solidity_agree(
    chain: Chain,
    signer: Signer,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Item | str],
) -> None:
    folder = tmp_path_factory.mktemp("differential")
    with _book(f"sqlite:///{folder}/{next(_numbers)}.db", history) as ledger:
        report = deploy(ledger, chain, signer)
        replay(ledger, chain, signer)
        _compare_addresses(ledger, chain, report.factory.address, report.tokens[0].address)
        for asset in ledger.assets():
            _compare_history(ledger, chain, asset)
        assert verify(ledger, chain).agree


def _compare_addresses(ledger: Ledger, chain: Chain, factory: bytes, token: bytes) -> None:
    """Compare every derived address with the factory's and the token's own."""
    ledger_id = ledger.identity.ledger_id
    for account in ledger.accounts():
        if not account.derived:
            continue
        key = account_key(account.blind, account.account_id)
        asked = [
            (
                factory,
                encode_call(
                    "addressOf(bytes32,bytes32,address)", ledger_id, key, account.registrar
                ),
            ),
            (token, encode_call("accountOf(bytes32,address)", key, account.registrar)),
        ]
        for contract, call in asked:
            (found,) = decode_result(["address"], chain.call(type(account.address)(contract), call))
            assert found == str(account.address).lower()


def _compare_history(ledger: Ledger, chain: Chain, asset: Asset) -> None:
    """Compare every batch's payload, its hash, its id in the history, and the history itself."""
    at = chain.block()
    token = read_token(chain, ledger.identity, asset, at)
    events = read_batches(chain, token, at)
    own = [b for sealed in ledger.seals() for b in sealed.batches if b.symbol == asset.symbol]
    history = first_head(ledger.identity.domain, asset.id)
    replayed = list(read_replayed(chain, token, events, at))
    for stored, event, found in zip(own, events, replayed, strict=True):
        batch = stored.batch
        history = next_history(history, batch_id(ledger.identity.domain, batch))
        assert isinstance(found, ReplayedBatch)
        entries = list(ledger.entries(asset.symbol, batch.first_seq, batch.last_seq))
        assert list(found.records) == records_of(entries)
        assert event.payload_hash == batch.payload_hash == keccak(encode_payload(found.records))
        assert (event.number, event.first_seq, event.last_seq, event.prev_head) == (
            batch.number,
            batch.first_seq,
            batch.last_seq,
            batch.prev_head,
        )
        assert event.history == history
    assert token.history == history
