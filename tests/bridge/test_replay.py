"""Replay: every sealed entry on the chain exactly once, whatever happens in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge import files
from bridge.batches import cut, make_run, start
from bridge.chain import Chain
from bridge.codec import TRANSFER, encode_call, encode_payload
from bridge.deploy import deploy
from bridge.errors import (
    ChainError,
    ForeignHistoryError,
    NoAnswerError,
    NoContractError,
    OperatorError,
)
from bridge.export import export
from bridge.imports import import_ledger
from bridge.replay import replay
from bridge.tokens import read_batches, read_token
from bridge.verify import verify
from ledger import CorruptError, Group, Ledger, Movement
from ledger.ids import first_head
from ledger.model import ZERO_ADDRESS, Address, Record
from ledger.weights import Weight
from tests.bridge import wallet
from tests.bridge.histories import PEPPER, altered_copy, fund, post, seal_all, small_ledger
from tests.bridge.interference import forward, server
from tests.bridge.outcomes import QUICK, check_exact, statuses

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.progress import Progress
    from bridge.tokens import Token
    from ledger import Asset
    from tests.conftest import StartNode
    from tests.support.nodes import Node


def token_of(ledger: Ledger, chain: Chain, asset: Asset) -> Token:
    return read_token(chain, ledger.identity, asset, chain.block())


def test_every_sealed_entry_is_replayed_once(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    deploy(book, any_chain, signer)
    steps: list[Progress] = []
    report = replay(book, any_chain, signer, progress=steps.append)
    assert (report.batches, report.entries, report.unsealed) == (4, 20, 0)
    assert (steps[-1].done, steps[-1].total) == (20, 20)
    assert statuses(book) == ["mined"] * 4
    assert report.gas_used > 0
    for asset in book.assets():
        token = token_of(book, any_chain, asset)
        assert (token.last_seq, token.head) == (
            book.head(asset.symbol).seq,
            book.head(asset.symbol).head,
        )
        assert token.total_supply == book.get_total_supply(asset.symbol)


def test_a_second_replay_sends_nothing(book: Ledger, any_chain: Chain, signer: Signer) -> None:
    deploy(book, any_chain, signer)
    replay(book, any_chain, signer)
    nonce, block = any_chain.next_nonce(signer.address), any_chain.block()
    again = replay(book, any_chain, signer)
    assert (again.batches, again.entries, again.gas_used) == (0, 0, 0)
    assert [asset.replayed for asset in again.assets] == [15, 5]
    assert any_chain.next_nonce(signer.address) == nonce
    assert any_chain.block() == block


def test_what_is_posted_later_is_replayed_later(book: Ledger, chain: Chain, signer: Signer) -> None:
    deploy(book, chain, signer)
    replay(book, chain, signer)
    book.mint("alice", 77, asset="GOLD")
    report = replay(book, chain, signer)
    assert (report.batches, report.unsealed) == (0, 1)
    seal_all(book)
    report = replay(book, chain, signer)
    assert (report.batches, report.entries, report.unsealed) == (1, 1, 0)


def test_logs_of_an_export_are_those_of_the_chain(
    database_url: str, chain: Chain, owner: Signer, tmp_path: Path
) -> None:
    """Address, topics and data, in the order of each token's journal."""
    fund(chain, owner)
    with small_ledger(database_url) as ledger:
        deploy(ledger, chain, owner)
        replay(ledger, chain, owner)
        export(ledger, tmp_path / "x")
        tokens = [token_of(ledger, chain, asset).address for asset in ledger.assets()]
    exported = [
        json.loads(line) for line in (tmp_path / "x" / files.LOGS).read_bytes().splitlines()
    ]
    for token in tokens:
        query = {"address": str(token), "fromBlock": "0x0", "topics": [str(TRANSFER)]}
        found = chain.request("eth_getLogs", query)
        own = [log for log in exported if log["address"] == str(token).lower()]
        assert [(log["address"], log["topics"], log["data"]) for log in found] == [
            (log["address"], log["topics"], log["data"]) for log in own
        ]
        assert set(own[0]) <= set(found[0])


def test_an_imported_ledger_is_verified_and_replayed_like_the_original(
    book: Ledger, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    deploy(book, chain, signer)
    replay(book, chain, signer)
    export(book, tmp_path / "x")
    with import_ledger(tmp_path / "x", f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert verify(copy, chain).agree
        assert replay(copy, chain, signer).batches == 0


# --- bad ground ---


def test_replay_needs_a_deployment(book: Ledger, chain: Chain, signer: Signer) -> None:
    with pytest.raises(NoContractError, match="chain deploy"):
        replay(book, chain, signer)
    assert statuses(book) == []


def test_another_key_is_refused_before_anything_is_sent(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    for symbol in ("SCI", "GOLD"):
        book.set_operator(symbol, Address(b"\x42" * 20))
    deploy(book, chain, signer)
    with pytest.raises(OperatorError, match="keystore"):
        replay(book, chain, signer)
    assert statuses(book) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE token_ledger SET amount = randomblob(32) WHERE asset = 1 AND seq = 6",
        "UPDATE token_ledger SET reason = 'bribe' WHERE asset = 1 AND seq = 6",
        "UPDATE token_ledger SET head = zeroblob(32) WHERE asset = 1 AND seq = 6",
        "DELETE FROM token_ledger WHERE asset = 1 AND seq = 6",
        "UPDATE token_batches SET new_head = zeroblob(32) WHERE asset = 1 AND number = 1",
    ],
)
def test_what_does_not_recompute_is_not_sent(
    book: Ledger, sqlite_url: str, chain: Chain, signer: Signer, *, statement: str, tmp_path: Path
) -> None:
    deploy(book, chain, signer)
    with Ledger.open(altered_copy(sqlite_url, statement, tmp_path)) as altered:
        with pytest.raises(CorruptError, match="audit"):
            replay(altered, chain, signer)
        assert statuses(altered) == []


def replay_by_hand(
    chain: Chain, signer: Signer, token: Token, records: list[Record], head: bytes = b"\x01" * 32
) -> None:
    """Replay a batch as an operator could who does not care for the ledger."""
    data = encode_call(
        "replay(bytes32,bytes32,bytes32,bytes)",
        token.history,
        head,
        b"\x02" * 32,
        encode_payload(records),
    )
    signed = wallet.transact(chain, signer, token.address, data, gas=2_000_000)
    wallet.send_and_wait(chain, signed, "replaying by hand")


def test_a_history_that_is_not_ours_is_refused_naming_the_batch(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    deploy(book, chain, signer)
    replay(book, chain, signer)
    token = token_of(book, chain, book.asset("SCI"))
    replay_by_hand(chain, signer, token, [Record(ZERO_ADDRESS, signer.address, 5)])
    book.mint("alice", 5, asset="SCI")
    seal_all(book)
    with pytest.raises(ForeignHistoryError, match="batch 3 on the chain"):
        replay(book, chain, signer)


def test_cuts_that_the_events_name_are_followed(book: Ledger, chain: Chain, signer: Signer) -> None:
    """Somebody cut the first batch in three and the rest is not there yet."""
    deploy(book, chain, signer)
    asset = book.asset("SCI")
    domain = book.identity.domain
    at = start(first_head(domain, asset.id))
    for first, last in ((1, 2), (3, 3), (4, 8)):
        run = make_run(domain, asset.id, list(book.entries("SCI", first, last)), at)
        data = encode_call(
            "replay(bytes32,bytes32,bytes32,bytes)",
            run.prev_history,
            run.batch.new_head,
            run.batch.tree_root,
            run.payload,
        )
        address = token_of(book, chain, asset).address
        signed = wallet.transact(chain, signer, address, data, gas=2_000_000)
        wallet.send_and_wait(chain, signed, "replaying a part")
        at = run.after
    report = replay(book, chain, signer)
    assert report.entries == 20 - 8
    batches = read_batches(chain, token_of(book, chain, asset), chain.block())
    assert [(b.first_seq, b.last_seq) for b in batches] == [
        (1, 2),
        (3, 3),
        (4, 8),
        (9, 14),
        (15, 15),
    ]
    assert verify(book, chain).agree
    assert replay(book, chain, signer).batches == 0


def test_a_batch_too_heavy_for_one_transaction_is_cut(
    sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    """One group cannot be cut by a seal; the bridge cuts it for the chain."""
    with Ledger.create(sqlite_url, pepper=PEPPER) as ledger:
        ledger.create_asset("SCI", "SCI token", endowment=0)
        ledger.create_account("bank", 10**30)
        names = [f"agent-{n}" for n in range(900)]
        for name in names:
            ledger.create_account(name, 0)
        post(ledger, Group(tuple(Movement("bank", name, 1 + len(name)) for name in names)))
        seal_all(ledger)
        deploy(ledger, chain, signer)
        report = replay(ledger, chain, signer)
        assert report.entries == 901
        assert report.batches == 3
        assert verify(ledger, chain).agree


def test_cut_gives_runs_that_fit_and_miss_nothing(book: Ledger) -> None:
    entries = list(book.entries("SCI"))
    assert list(cut(entries)) == [len(entries)]
    many = entries * 700
    counts = list(cut(many))
    assert sum(counts) == len(many)
    at = 0
    for count in counts:
        weight = Weight()
        for entry in many[at : at + count]:
            weight.add(entry)
        assert weight.fits
        at += count
    assert list(cut([])) == []


# --- things that stop in the middle ---


def test_a_node_that_stops_during_replay_and_comes_back(
    book: Ledger, start_anvil: StartNode, signer: Signer, tmp_path: Path
) -> None:
    state = str(tmp_path / "state")
    node = start_anvil("--state", state)
    sent: list[Progress] = []

    def stop_after_two(step: Progress) -> None:
        sent.append(step)
        if len([s for s in sent if s.done]) == 2:
            node.stop()

    with Chain.connect(node.url) as chain:
        deploy(book, chain, signer)
        with pytest.raises(NoAnswerError, match="replay` again"):
            replay(book, chain, signer, progress=stop_after_two, patience=QUICK)
        again = start_anvil("--state", state, port=node.port)
        report = replay(book, chain, signer)
        assert 0 < report.batches < 4
        assert verify(book, chain).agree
        assert replay(book, chain, signer).batches == 0
        again.stop()


@pytest.mark.parametrize("arrives", [True, False], ids=["answer lost", "request lost"])
@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_connection_lost_at_send_is_settled_by_the_next_run(
    book: Ledger, anvil: Node, signer: Signer, *, arrives: bool, lost: int
) -> None:
    sends = 0
    down = False

    def answer(asked: dict[str, Any]) -> bytes | None:
        nonlocal sends, down
        if asked["method"] == "eth_sendRawTransaction":
            sends += 1
            if sends == lost:
                down = True
                if arrives:
                    forward(anvil.port, asked)
        return None if down else forward(anvil.port, asked)

    with Chain.connect(anvil.url) as chain:
        deploy(book, chain, signer)
        nonce = chain.next_nonce(signer.address)
        with server(answer) as url, Chain.connect(url) as shaky, pytest.raises(NoAnswerError):
            replay(book, shaky, signer, patience=QUICK)
        assert statuses(book) == ["mined"] * (lost - 1) + ["signed"]
        replay(book, chain, signer)
        assert set(statuses(book)) == {"mined"}
        assert len(statuses(book)) == 4
        assert chain.next_nonce(signer.address) == nonce + 4
        assert verify(book, chain).agree


def test_a_signed_transaction_whose_nonce_went_elsewhere_is_replaced(
    book: Ledger, anvil: Node, signer: Signer
) -> None:
    def answer(asked: dict[str, Any]) -> bytes | None:
        lost = asked["method"] == "eth_sendRawTransaction"
        return None if lost else forward(anvil.port, asked)

    with Chain.connect(anvil.url) as chain:
        deploy(book, chain, signer)
        with server(answer) as url, Chain.connect(url) as shaky, pytest.raises(NoAnswerError):
            replay(book, shaky, signer, patience=QUICK)
        pay = wallet.transact(chain, signer, Address(b"\x42" * 20), gas=21_000)
        wallet.send_and_wait(chain, pay, "using the nonce")
        replay(book, chain, signer, patience=QUICK)
        assert statuses(book) == ["dropped"] + ["mined"] * 4
        check_exact(book, chain, signer)


def test_a_chain_that_went_back_is_replayed_again(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    """The outbox says "mined", the contract says no: the contract is right."""
    deploy(book, chain, signer)
    snapshot = chain.request("evm_snapshot")
    replay(book, chain, signer)
    chain.request("evm_revert", snapshot)
    assert replay(book, chain, signer).batches == 4
    assert verify(book, chain).agree


def test_a_node_that_was_killed_and_forgot_everything(
    book: Ledger, start_anvil: StartNode, signer: Signer
) -> None:
    """Its successor has lower nonces: what was signed for the old one must not be waited for."""
    node = start_anvil()

    def answer(asked: dict[str, Any]) -> bytes | None:
        lost = asked["method"] == "eth_sendRawTransaction"
        return None if lost else forward(node.port, asked)

    with Chain.connect(node.url) as chain:
        deploy(book, chain, signer)
        pay = wallet.transact(chain, signer, Address(b"\x42" * 20), gas=21_000)
        wallet.send_and_wait(chain, pay, "using a nonce")
        with server(answer) as url, Chain.connect(url) as shaky, pytest.raises(NoAnswerError):
            replay(book, shaky, signer, patience=QUICK)
    node.kill()
    start_anvil(port=node.port)
    with Chain.connect(node.url) as chain:
        with pytest.raises(NoContractError, match="chain deploy"):
            replay(book, chain, signer)
        deploy(book, chain, signer)
        assert replay(book, chain, signer).batches == 4
        assert statuses(book) == ["replaced"] + ["mined"] * 4
        assert verify(book, chain).agree


def test_two_replays_at_once_send_each_batch_once(
    book: Ledger, sqlite_url: str, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    """The second one's transaction would not follow the history any more: it looks again."""
    deploy(book, chain, signer)
    done = False

    def race(step: Progress) -> None:
        nonlocal done
        if step.done == 0 and not done:
            done = True
            copy = altered_copy(sqlite_url, "UPDATE token_settings SET one = 1", tmp_path)
            with Ledger.open(copy) as other, Chain.connect(f"{chain.name}") as second:
                assert replay(other, second, signer).batches == 4

    assert replay(book, chain, signer, progress=race, patience=QUICK).batches == 0
    assert statuses(book) == []
    check_exact(book, chain, signer)


def test_a_contract_that_says_something_else_is_not_believed(
    book: Ledger, anvil: Node, signer: Signer
) -> None:
    """The receipt lacks the event: the node is lying, or the contract is another."""

    def answer(asked: dict[str, Any]) -> bytes:
        found = forward(anvil.port, asked)
        if asked["method"] == "eth_getTransactionReceipt":
            parsed = json.loads(found)
            if parsed["result"]:
                parsed["result"]["logs"] = parsed["result"]["logs"][:-1]
            return json.dumps(parsed).encode()
        return found

    with Chain.connect(anvil.url) as chain:
        deploy(book, chain, signer)
        with (
            server(answer) as url,
            Chain.connect(url) as lying,
            pytest.raises(ChainError, match="something else"),
        ):
            replay(book, lying, signer, patience=QUICK)
