"""Where chain and ledger part is found by few questions, wherever that is."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from bridge.chain import Chain
from bridge.codec import BATCH_REPLAYED, REPLAY, encode_call
from bridge.compare import Difference, MismatchKind
from bridge.deploy import deploy
from bridge.errors import ContradictionError
from bridge.locate import first_difference
from bridge.tokens import read_token
from bridge.verify import verify
from ledger import Ledger, Movement
from ledger.batches import BatchEnd, make_batch, records_of
from ledger.ids import next_history
from ledger.merkle import Frontier
from ledger.payload import encode_payload
from tests.bridge import wallet
from tests.bridge.histories import LEDGER_ID, PEPPER, post, steady_clock
from tests.bridge.test_replay import token_of

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.keys import Signer
    from tests.support.rpc_proxy import Forward, Json, RpcProxy

History: TypeAlias = Callable[..., Ledger]

ENTRIES: Final = 90
BATCHES: Final = 33


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of one asset and two accounts, in which nothing is posted yet."""
    file = tmp_path_factory.mktemp("locate") / "template.db"
    with Ledger.create(f"sqlite:///{file}", ledger_id=LEDGER_ID, pepper=PEPPER) as ledger:
        ledger.create_asset("SCI", "SCI token", 0)
        for name in ("alice", "bob"):
            ledger.create_account(name, 0)
    return file


@pytest.fixture
def history(template: Path, tmp_path: Path) -> History:
    """Return a function that makes the same history again, with one entry altered."""

    def make(*, entries: int = ENTRIES, altered: int = 0, field: str = "") -> Ledger:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        shutil.copy(template, file)
        movements = [Movement("system", "alice", 1_000, "SCI")]
        for seq in range(2, entries + 1):
            payer, payee = ("alice", "bob") if seq % 5 else ("bob", "alice")
            movements.append(Movement(payer, payee, seq % 5 or 1, "SCI"))
        if altered:
            old = movements[altered - 1]
            new = {"amount": old.amount + 1} if field == "amount" else {"reason": "another"}
            movements[altered - 1] = replace(old, **new)
        ledger = Ledger.open(f"sqlite:///{file}", clock=steady_clock())
        post(ledger, *movements)
        return ledger

    return make


@pytest.fixture
def ends() -> list[int]:
    """Return where each batch ends: cut anywhere, one of them a single entry."""
    cuts = {1, *random.Random(7).sample(range(2, ENTRIES), BATCHES - 2), ENTRIES}
    return sorted(cuts)


@pytest.fixture
def replayed(history: History, chain: Chain, signer: Signer, ends: list[int]) -> Ledger:
    """Return a ledger whose entries are on the chain in many batches, a block each."""
    ledger = history()
    deploy(ledger, chain, signer)
    entries = list(ledger.entries("SCI"))
    token = token_of(ledger, chain, ledger.asset())
    domain, before = ledger.identity.domain, token.history
    done = BatchEnd(0, 0, token.head, Frontier())
    for start, end in pairwise([0, *ends]):
        batch = entries[start:end]
        made = make_batch(domain, token.asset, done, batch, 1)
        ids = [entry.id for entry in batch]
        done = BatchEnd(made.batch.number, end, batch[-1].head, done.frontier.extend(ids))
        payload = encode_payload(records_of(batch))
        data = encode_call(REPLAY, before, batch[-1].head, made.batch.tree_root, payload)
        wallet.send_and_wait(
            chain, wallet.transact(chain, signer, token.address, data, gas=2_000_000), "replay"
        )
        before = next_history(before, made.id)
    assert read_token(chain, ledger.identity, ledger.asset(), chain.block()).batches == BATCHES
    return ledger


def batch_of(ends: list[int], seq: int) -> tuple[int, int, int]:
    """Return (number, first entry, last entry) of the batch that has an entry."""
    number = next(n for n, end in enumerate(ends) if seq <= end)
    return number + 1, ([0, *ends][number]) + 1, ends[number]


def test_a_planted_difference_is_found_in_few_questions(
    replayed: Ledger, rpc_proxy: RpcProxy, ends: list[int], history: History
) -> None:
    borders = [ends[0] + 1, ends[9], ends[9] + 1, ends[-2], ends[-2] + 1]
    chance = random.Random(11)
    seqs = {1, 2, ENTRIES, *borders, *(chance.randint(2, ENTRIES) for _ in range(6))}
    with Chain.connect(rpc_proxy.url) as chain:
        assert first_difference(replayed, chain) is None
        for seq in sorted(seqs):
            number, first, last = batch_of(ends, seq)
            # Of a reason there is no log: the head says only in which batch it is.
            cases = [("amount", seq, seq), ("reason", first, last)][: 2 if seq in borders else 1]
            for field, low, high in cases:
                with history(altered=seq, field=field) as other:
                    rpc_proxy.calls.clear()
                    found = first_difference(other, chain, "SCI")
                    assert found == Difference("SCI", low, high, number), (field, seq)
                    # The batch's own logs are one question more, and so is its event at the end.
                    asked = rpc_proxy.calls.count("eth_getLogs")
                    assert asked <= math.ceil(math.log2(BATCHES)) + 2
                    blocks = chain.block().number
                    codes = rpc_proxy.calls.count("eth_getCode")
                    assert codes <= math.ceil(math.log2(blocks)) + 3


def test_verify_says_the_same(
    replayed: Ledger, chain: Chain, ends: list[int], history: History
) -> None:
    assert [asset.difference for asset in verify(replayed, chain).assets] == [None]
    for seq in (1, ends[4], ends[4] + 1, ENTRIES):
        with history(altered=seq, field="amount") as other:
            report = verify(other, chain, 1)
            assert not report.agree
            assert [asset.difference for asset in report.assets] == [
                first_difference(other, chain),
            ]
    with history(altered=40, field="reason") as other:
        report = verify(other, chain, 1)
        assert [it.kind for it in report.mismatches] == [MismatchKind.HEAD_DIFFERS]
        number, first, last = batch_of(ends, 40)
        assert report.assets[0].difference == Difference("SCI", first, last, number)
        assert str(report.assets[0].difference) == (
            f"in entries {first} to {last} of SCI (batch {number})"
        )


def test_a_shorter_ledger_differs_after_its_end(
    replayed: Ledger, chain: Chain, ends: list[int], history: History
) -> None:
    for entries in (1, ends[4], ends[-2] - 1, ENTRIES - 1):
        with history(entries=entries) as other:
            number, *_ = batch_of(ends, entries + 1)
            found = first_difference(other, chain)
            assert found == Difference("SCI", entries + 1, entries + 1, number)
    assert replayed.head().seq == ENTRIES


def test_entries_that_wait_are_no_difference(replayed: Ledger, chain: Chain) -> None:
    replayed.transfer("alice", "bob", 1)
    assert first_difference(replayed, chain) is None


def test_a_chain_without_batches_differs_in_nothing(
    history: History, chain: Chain, signer: Signer
) -> None:
    with history() as ledger:
        deploy(ledger, chain, signer)
        assert first_difference(ledger, chain) is None


def lying(proxy: RpcProxy, alter: Callable[[Json, list[Json]], list[Json]]) -> None:
    """Let the proxy answer requests for logs as `alter` does, given parameters and logs."""

    def behave(request: Json, forward: Forward) -> Json:
        answer = forward(request)
        if request["method"] == "eth_getLogs":
            answer["result"] = alter(request["params"][0], answer["result"])
        return answer

    proxy.behave = behave


def test_a_node_that_forgot_old_logs_still_narrows_it_down(
    replayed: Ledger, rpc_proxy: RpcProxy, ends: list[int], history: History
) -> None:
    last_block = int(rpc_proxy.forward(asking("eth_blockNumber"))["result"], 16)
    with Chain.connect(rpc_proxy.url) as chain:
        for seq in (3, ends[-4], ENTRIES):
            with history(altered=seq, field="amount") as other:
                for kept in (0, 1, 5, 20):
                    forget = partial(logs_after, last_block - kept)
                    lying(rpc_proxy, forget)
                    found = first_difference(other, chain)
                    batches = [0, *ends][len(ends) - kept :]
                    if kept and seq > batches[0]:
                        assert found is not None
                        assert (found.first, found.last) == (seq, seq)
                    else:
                        known = batches[1] if kept else ENTRIES
                        assert found == Difference("SCI", 1, known, None)
    assert replayed.head().seq == ENTRIES


def logs_after(block: int, _: Json, logs: list[Json]) -> list[Json]:
    """Return the logs of later blocks."""
    return [log for log in logs if int(log["blockNumber"], 16) > block]


def asking(method: str) -> Json:
    """Return a request without parameters."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": []}


def test_a_history_that_has_nothing_in_common(
    replayed: Ledger, chain: Chain, history: History
) -> None:
    with history(altered=1, field="amount") as other:
        assert str(first_difference(other, chain)) == "entry 1 of SCI (batch 1)"
    assert replayed.head().seq == ENTRIES


@pytest.mark.usefixtures("replayed")
def test_answers_that_contradict_each_other_are_named(
    rpc_proxy: RpcProxy, history: History
) -> None:
    def forged(field: str, value: str) -> Callable[[Json, list[Json]], list[Json]]:
        return lambda _, logs: [{**log, field: value} for log in logs]

    def events_of_another(_: Json, logs: list[Any]) -> list[Any]:
        return [{**log, "topics": [str(BATCH_REPLAYED), "0x" + "00" * 32]} for log in logs]

    with (
        Chain.connect(rpc_proxy.url) as chain,
        history(altered=ENTRIES, field="amount") as other,
    ):
        for alter, says in (
            (forged("address", "0x" + "11" * 20), "not asked for"),
            (forged("blockNumber", "0x0"), "asked for were blocks"),
            (events_of_another, "not asked for"),
            (lambda _, logs: logs * 2, "after log"),
        ):
            lying(rpc_proxy, alter)
            with pytest.raises(ContradictionError, match=says):
                first_difference(other, chain)
        with history(altered=ENTRIES, field="reason") as third:
            # The last event states the ledger's own head then, which the contract does not have.
            lying(rpc_proxy, lambda asked, logs: head_of_other(third, asked, logs))
            with pytest.raises(ContradictionError, match="another than the contract's"):
                first_difference(third, chain)


def head_of_other(ledger: Ledger, _: Json, logs: list[Any]) -> list[Any]:
    """Return events that state the head that `ledger` has where they end."""
    found = []
    for log in logs:
        last = int(log["data"][2 + 64 : 2 + 128], 16)
        head = next(ledger.entries("SCI", last)).head.hex()
        found.append({**log, "data": log["data"][: 2 + 3 * 64] + head + log["data"][2 + 4 * 64 :]})
    return found
