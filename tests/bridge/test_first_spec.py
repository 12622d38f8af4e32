"""A ledger ready for a chain: what is returned is what replay sends, and what a chain accepts."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_utils.address import to_checksum_address

import bridge as evm_bridge
from bridge import Bridge
from bridge.compatibility import ledger_chain_compatibility_report
from bridge.deploy import deploy
from bridge.errors import UnsupportedChainError
from bridge.export import export
from bridge.first_spec import account_address, export_ledger_for_chain
from bridge.keys import TEST_ADDRESS
from bridge.replay import replay
from bridge.verify import verify
from ledger import CorruptError, FieldError, Hash32, Ledger, NotFoundError
from ledger.model import Address
from ledger.times import moment_of
from tests.bridge.histories import LEDGER_ID, PEPPER, REAL_ADDRESS, small_ledger
from tests.bridge.planning import new_ledger
from tests.ledger.support import attacker, unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.chain import Chain
    from bridge.keys import Signer
    from tests.support.nodes import Node

LOCAL: Final = 31_337


def test_the_address_of_an_account(book: Ledger) -> None:
    address = account_address(book, "alice")
    assert address == book.account("alice").address
    assert str(address) == to_checksum_address(bytes(address))
    assert str(account_address(book, REAL_ADDRESS)).lower() == REAL_ADDRESS
    with pytest.raises(NotFoundError):
        account_address(book, "nobody")


def test_the_calls_as_the_first_specification_writes_them(sqlite_url: str) -> None:
    """Word for word; what they return is what the functions with a ledger return."""
    with new_ledger(sqlite_url) as ledger:
        for account_id in ("alice", "bob"):
            ledger.create_account(account_id, 5)
            ledger.seal()
        bridge, since, chain = Bridge(ledger), 2, LOCAL
        state, source_chain = {REAL_ADDRESS: 7}, 1
        address = bridge.account_address("alice")
        batches = list(bridge.export_ledger_for_chain(since, chain))
        would = bridge.import_chain_state(state, source_chain, dry_run=True)
        report = bridge.ledger_chain_compatibility_report()
        assert address == account_address(ledger, "alice")
        assert [len(batch.entries) for batch in batches] == [1]
        assert batches == list(export_ledger_for_chain(ledger, since, chain))
        assert list(bridge.export_ledger_for_chain()) == list(export_ledger_for_chain(ledger))
        assert report == ledger_chain_compatibility_report(ledger)
        assert (would.dry_run, would.minted) == (True, 7)
        assert bridge.import_chain_state(state, source_chain).dry_run
        assert ledger.get_total_supply() == 10
        bridge.import_chain_state(state, source_chain, dry_run=False)
        assert ledger.get_total_supply() == 17


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("account_address", ["account_id"]),
        ("export_ledger_for_chain", ["since", "chain"]),
        ("import_chain_state", ["state", "source_chain", "dry_run"]),
        ("ledger_chain_compatibility_report", []),
    ],
)
def test_names_and_order_are_the_first_specifications(name: str, arguments: list[str]) -> None:
    """And a function differs from the method by its ledger alone."""
    method = inspect.signature(getattr(Bridge, name)).parameters
    function = inspect.signature(getattr(evm_bridge, name)).parameters
    placed = [it.name for it in method.values() if it.kind is not it.KEYWORD_ONLY]
    assert placed == ["self", *arguments]
    assert list(function) == ["ledger", *list(method)[1:]]
    assert [it.default for it in function.values()] == [it.default for it in method.values()]


def test_a_chain_accepts_the_calldata_as_it_is(
    database_url: str, chain: Chain, anvil: Node, signer: Signer
) -> None:
    with small_ledger(database_url) as ledger:
        deploy(ledger, chain, signer)
        with unchanged(database_url):
            batches = list(export_ledger_for_chain(ledger, None, LOCAL))
        for batch in batches:
            sent = anvil.rpc(
                "eth_sendTransaction",
                {
                    "from": str(TEST_ADDRESS),
                    "to": str(batch.token),
                    "data": "0x" + batch.calldata.hex(),
                    "gas": hex(10_000_000),
                },
            )
            receipt = anvil.receipt(sent)
            assert int(receipt["status"], 16) == 1
            *logs, event = receipt["logs"]
            assert event["data"].endswith(batch.history.hex())
            for found, expected in zip(logs, batch.logs, strict=True):
                row = expected.to_rpc()
                assert [found[name] for name in ("address", "topics", "data")] == [
                    row[name] for name in ("address", "topics", "data")
                ]
        assert verify(ledger, chain).agree


def test_it_is_what_replay_sends(book: Ledger, any_chain: Chain, signer: Signer) -> None:
    deploy(book, any_chain, signer)
    expected: dict[str, list[str]] = {}
    for batch in export_ledger_for_chain(book, None, LOCAL):
        expected.setdefault(batch.symbol, []).append("0x" + batch.calldata.hex())
    for asset in replay(book, any_chain, signer).assets:
        found = [
            any_chain.request("eth_getTransactionByHash", str(hash_))
            for hash_ in asset.transactions
        ]
        assert [transaction["input"] for transaction in found] == expected[asset.symbol]


def test_the_logs_are_those_of_an_export(book: Ledger, tmp_path: Path) -> None:
    export(book, tmp_path / "export")
    lines = (tmp_path / "export" / "logs.jsonl").read_text(encoding="utf-8").splitlines()
    found = [log for batch in export_ledger_for_chain(book) for log in batch.logs]
    found.sort(key=lambda log: (log.place.block_number, log.place.log_index))
    assert [log.to_rpc() for log in found] == [json.loads(line) for line in lines]


def test_payload_entries_and_heads(book: Ledger) -> None:
    for batch in export_ledger_for_chain(book):
        stored = batch.sealed.batch
        assert [entry.seq for entry in batch.entries] == [
            *range(stored.first_seq, stored.last_seq + 1)
        ]
        assert len(batch.logs) == len(batch.entries)
        assert batch.calldata[4:36] == batch.prev_history
        assert batch.payload in batch.calldata
        assert batch.entries[-1].head == stored.new_head


# --- since ---


def seals_of(book: Ledger, since: Any) -> list[tuple[int, str]]:  # noqa: ANN401 (what callers may pass)
    return [(batch.sealed.seal, batch.symbol) for batch in export_ledger_for_chain(book, since)]


def test_since_a_seal(book: Ledger) -> None:
    whole = seals_of(book, None)
    last = book.last_seal()
    assert {seal for seal, _ in whole} == set(range(1, last + 1))
    for sealed in book.seals():
        later = [one for one in whole if one[0] >= sealed.seal.number]
        assert seals_of(book, sealed.seal.number) == seals_of(book, sealed.id) == later


def test_since_a_moment(book: Ledger) -> None:
    whole = list(export_ledger_for_chain(book))
    moments = sorted(entry.timestamp for batch in whole for entry in batch.entries)
    for timestamp in moments:
        expected = [
            (batch.sealed.seal, batch.symbol)
            for batch in whole
            if any(entry.timestamp >= timestamp for entry in batch.entries)
        ]
        assert seals_of(book, moment_of(timestamp)) == expected
    assert seals_of(book, moment_of(moments[-1]) + timedelta(microseconds=1)) == []
    assert len(seals_of(book, datetime(1970, 1, 1, tzinfo=UTC))) == len(whole)


def test_what_is_left_out_changes_no_history(book: Ledger) -> None:
    whole = {batch.sealed.id: batch for batch in export_ledger_for_chain(book)}
    for batch in export_ledger_for_chain(book, book.last_seal()):
        assert batch == whole[batch.sealed.id]


@pytest.mark.parametrize(
    "since",
    [0, -1, 99, True, 1.0, "1", b"\x01" * 32, Hash32(b"\x01" * 32), datetime(2026, 1, 1)],  # noqa: DTZ001 (one without an offset)
)
def test_what_names_no_beginning_is_refused(book: Ledger, since: Any) -> None:  # noqa: ANN401 (as above)
    with pytest.raises(FieldError, match="since"):
        export_ledger_for_chain(book, since)


def test_nothing_is_sealed(sqlite_url: str) -> None:
    with small_ledger(sqlite_url, sealed=False) as ledger:
        assert list(export_ledger_for_chain(ledger)) == []


# --- chains ---


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        (324, "zksync-era: not supported: its own CREATE2 gives other addresses"),
        (300, "zksync-era"),
        ("zksync-era", "zksync-era"),
        ("solana", "solana: not supported: no EVM, amounts of 64 bits"),
        ("cosmos", "cosmos: not supported"),
        ("bitcoin", "bitcoin: not supported: no accounts"),
        ("Ethereum", "is no family of chains"),
        ("", "is no family of chains"),
    ],
)
def test_chains_that_a_ledger_cannot_be_put_on(book: Ledger, chain: int | str, says: str) -> None:
    with pytest.raises(UnsupportedChainError, match=says):
        export_ledger_for_chain(book, None, chain)


@pytest.mark.parametrize("chain", [True, False, 0, -1, 2**256, 2**300, 1.0, None, b"ethereum"])
def test_what_is_no_chain_is_refused(book: Ledger, chain: Any) -> None:  # noqa: ANN401 (as above)
    with pytest.raises(FieldError, match="chain: must be a chain id, an int of 1 "):
        export_ledger_for_chain(book, None, chain)


def test_the_token_is_that_of_the_chain(sqlite_url: str) -> None:
    with Ledger.create(sqlite_url, ledger_id=LEDGER_ID, pepper=PEPPER) as ledger:
        ledger.create_asset("OWN", "own", 0, operator=Address(b"\x0e" * 20))
        ledger.create_asset("NONE", "none", 0)
        ledger.create_account("alice", 1, asset="OWN")
        ledger.mint("alice", 1, asset="NONE")
        ledger.seal()
        tokens = {
            chain: {
                batch.symbol: batch.token for batch in export_ledger_for_chain(ledger, None, chain)
            }
            for chain in (1, 10, "rollup", LOCAL)
        }
        assert tokens[1] == tokens[10] == tokens["rollup"]
        assert tokens[1]["OWN"] == tokens[LOCAL]["OWN"] is not None
        assert tokens[1]["NONE"] is None
        assert tokens[LOCAL]["NONE"] is not None


def test_entries_that_are_not_those_that_were_sealed(book: Ledger, sqlite_url: str) -> None:
    with attacker(sqlite_url) as database:
        amount = database.amount(11)
        database.run("UPDATE token_ledger SET amount = ? WHERE asset = 2 AND seq = 1", amount)
    with pytest.raises(CorruptError, match="GOLD: the entries are not those that seal 1 sealed"):
        list(export_ledger_for_chain(book))
