"""Verify names exactly what differs, whoever changed it, and never says "agree" for "unknown"."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

import pytest

from bridge.artifacts import token_creation
from bridge.chain import Chain
from bridge.codec import BATCH_REPLAYED, encode_call
from bridge.compare import Mismatch, MismatchKind
from bridge.deploy import deploy
from bridge.errors import (
    BridgeError,
    ChainError,
    ForeignContractError,
    NoAnswerError,
    NoContractError,
    ReorganisedError,
    StaleBlockError,
)
from bridge.replay import replay
from bridge.status import read_status
from bridge.tokens import read_balances, read_token
from bridge.verify import LEVELS, VerifyReport, verify
from ledger import Ledger, Movement
from ledger.batches import records_of
from ledger.encoding import address_word
from ledger.hashing import keccak
from ledger.model import ZERO_ADDRESS, Hash32, Record
from tests.bridge import wallet
from tests.bridge.histories import PEPPER, altered_copy, post, seal_all, small_ledger
from tests.bridge.interference import forward, server
from tests.bridge.test_replay import replay_by_hand, token_of

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.progress import Progress
    from tests.support.nodes import Node


@pytest.fixture
def replayed(book: Ledger, chain: Chain, signer: Signer) -> Ledger:
    """Return a small ledger whose entries are all on the chain."""
    deploy(book, chain, signer)
    replay(book, chain, signer)
    return book


def found(ledger: Ledger, chain: Chain, level: int = 2) -> list[Mismatch]:
    """Return the mismatches, which there must be."""
    report = verify(ledger, chain, level)
    assert not report.agree
    assert report.omitted == 0
    return list(report.mismatches)


def test_chain_and_ledger_agree(database_url: str, any_chain: Chain, signer: Signer) -> None:
    with small_ledger(database_url) as ledger:
        deploy(ledger, any_chain, signer)
        replay(ledger, any_chain, signer)
        steps: list[Progress] = []
        report = verify(ledger, any_chain, progress=steps.append)
        assert report.agree
        assert report.mismatches == ()
        block = any_chain.block()
        assert (report.block_number, report.block_hash) == (block.number, block.hash)
        assert [(a.symbol, a.entries, a.waiting, a.batches, a.balances) for a in report.assets] == [
            ("SCI", 15, 0, 2, 4),
            ("GOLD", 5, 0, 2, 4),
        ]
        assert {step.step for step in steps} == {"SCI", "SCI balances", "GOLD", "GOLD balances"}
        assert all(step.done <= step.total for step in steps)
        assert [a.balances for a in verify(ledger, any_chain, 1).assets] == [0, 0]
        proven = verify(ledger, any_chain, 3)
        assert proven.agree
        assert proven.assets == tuple(changed(it, all_proven=True) for it in report.assets)


LOG, ENTRY = MismatchKind.LOG_DIFFERS, MismatchKind.ENTRY_ALTERED
ALTERED_ENTRIES: list[tuple[str, int, MismatchKind]] = [
    ("amount = randomblob(32)", 6, LOG),
    ("to_account = 'alice'", 2, LOG),
    ("from_account = 'böb'", 1, LOG),
    ("to_account = 'nobody'", 6, LOG),
    ("reason = 'bribe'", 6, ENTRY),
    ("memo = 'psst'", 15, ENTRY),
    ("timestamp = 5", 14, ENTRY),
    ("id = zeroblob(32)", 6, ENTRY),
    ("head = zeroblob(32)", 6, ENTRY),
    ("head = zeroblob(32)", 14, ENTRY),
    ("group_id = NULL", 14, ENTRY),
    ("seq = 99", 6, MismatchKind.FOREIGN_LOG),
]
ALTERED: list[tuple[str, MismatchKind, int | None]] = [
    *(
        (f"UPDATE token_ledger SET {change} WHERE asset = 1 AND seq = {seq}", kind, seq)  # noqa: S608 (the table above)
        for change, seq, kind in ALTERED_ENTRIES
    ),
    (
        "UPDATE token_balances SET balance = randomblob(32) WHERE asset = 2 AND account_id = 'böb'",
        MismatchKind.BALANCE_DIFFERS,
        None,
    ),
    (
        "UPDATE token_balances SET balance = zeroblob(32) WHERE account_id = 'system' AND asset=2",
        MismatchKind.SUPPLY_DIFFERS,
        None,
    ),
    (
        "UPDATE token_accounts SET address = randomblob(20) WHERE account_id = 'böb'",
        MismatchKind.ACCOUNT_ALTERED,
        None,
    ),
]


@pytest.mark.parametrize(("change", "kind", "seq"), ALTERED)
def test_one_altered_row_is_the_one_mismatch(
    replayed: Ledger,
    sqlite_url: str,
    chain: Chain,
    tmp_path: Path,
    *,
    change: str,
    kind: MismatchKind,
    seq: int | None,
) -> None:
    with Ledger.open(altered_copy(sqlite_url, change, tmp_path)) as altered:
        (mismatch,) = found(altered, chain)
    assert (mismatch.kind, mismatch.seq) == (kind, seq)
    if kind in {MismatchKind.LOG_DIFFERS, MismatchKind.ENTRY_ALTERED}:
        assert mismatch.asset == "SCI"
        assert mismatch.entry_id is not None
    if kind in {MismatchKind.BALANCE_DIFFERS, MismatchKind.ACCOUNT_ALTERED}:
        assert mismatch.account_id == "böb"
    assert str(mismatch).startswith(f"{kind}: ")
    assert verify(replayed, chain).agree


@pytest.mark.parametrize("seq", [1, 6, 14, 15])
def test_a_deleted_entry_is_named(
    replayed: Ledger, sqlite_url: str, chain: Chain, tmp_path: Path, seq: int
) -> None:
    statement = f"DELETE FROM token_ledger WHERE asset = 1 AND seq = {seq}"  # noqa: S608 (a number)
    with Ledger.open(altered_copy(sqlite_url, statement, tmp_path)) as altered:
        (mismatch,) = found(altered, chain)
    assert (mismatch.kind, mismatch.seq) == (MismatchKind.FOREIGN_LOG, seq)
    assert replayed.head("SCI").seq == 15


def test_two_altered_rows_are_two_mismatches(
    replayed: Ledger, sqlite_url: str, chain: Chain, tmp_path: Path
) -> None:
    url = altered_copy(sqlite_url, ALTERED[0][0], tmp_path)
    url = altered_copy(
        url, "UPDATE token_ledger SET reason = 'x' WHERE asset = 1 AND seq = 9", tmp_path
    )
    with Ledger.open(url) as altered:
        kinds = [(m.kind, m.seq) for m in found(altered, chain)]
    assert kinds == [(MismatchKind.LOG_DIFFERS, 6), (MismatchKind.ENTRY_ALTERED, 9)]
    assert replayed.audit().ok


def test_another_history_with_the_same_movements_differs_in_its_head(
    replayed: Ledger, chain: Chain, tmp_path: Path
) -> None:
    """Rewritten from the start, ids and all: no log shows it, the head does."""
    with Ledger.create(
        f"sqlite:///{tmp_path / 'other.db'}", ledger_id=replayed.identity.ledger_id, pepper=PEPPER
    ) as other:
        for asset in replayed.assets():
            other.create_asset(asset.symbol, asset.name, asset.decimals)
        for account in replayed.accounts():
            if account.account_id != "system":
                other.create_account(account.account_id, 0, asset="SCI")
        for entry in replayed.entries("SCI"):
            post(
                other,
                Movement(entry.from_account, entry.to_account, entry.amount, "SCI", reason="lie"),
            )
        mismatches = found(other, chain)
    assert [(m.kind, m.asset, m.batch) for m in mismatches if m.asset == "SCI"] == [
        (MismatchKind.HEAD_DIFFERS, "SCI", 1)
    ]


# --- what the operator can do ---


def test_a_foreign_batch_is_named_log_by_log(
    replayed: Ledger, chain: Chain, signer: Signer
) -> None:
    alice = replayed.account("alice").address
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    records = [Record(ZERO_ADDRESS, alice, 5), Record(ZERO_ADDRESS, signer.address, 6)]
    replay_by_hand(chain, signer, token, records)
    mismatches = found(replayed, chain)
    assert [(m.kind, m.seq, m.account_id) for m in mismatches] == [
        (MismatchKind.FOREIGN_LOG, 6, None),
        (MismatchKind.FOREIGN_LOG, 7, None),
        (MismatchKind.BALANCE_DIFFERS, None, "alice"),
        (MismatchKind.SUPPLY_DIFFERS, None, None),
    ]


def test_a_foreign_batch_in_place_of_waiting_entries_is_no_entry(
    replayed: Ledger, chain: Chain, signer: Signer
) -> None:
    replayed.mint("alice", 1, asset="GOLD")
    replayed.mint("alice", 2, asset="GOLD")
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    replay_by_hand(chain, signer, token, [Record(ZERO_ADDRESS, signer.address, 5)])
    mismatches = found(replayed, chain, 1)
    assert [(m.kind, m.seq) for m in mismatches] == [
        (MismatchKind.FOREIGN_LOG, 6),
        (MismatchKind.NOT_REPLAYED, 6),
    ]


@pytest.mark.parametrize("left_out", [0, 3, 7])
def test_an_entry_that_the_operator_left_out_is_named(
    replayed: Ledger, chain: Chain, signer: Signer, left_out: int
) -> None:
    post(replayed, *(Movement("alice", "böb", 1 + n, "GOLD") for n in range(9)))
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    records = records_of(list(replayed.entries("GOLD", 6)))
    replay_by_hand(chain, signer, token, records[:left_out] + records[left_out + 1 :])
    mismatches = found(replayed, chain, 1)
    assert [(m.kind, m.seq) for m in mismatches] == [(MismatchKind.MISSING_LOG, 6 + left_out)]


def test_a_record_that_the_operator_slipped_in_is_named(
    replayed: Ledger, chain: Chain, signer: Signer
) -> None:
    post(replayed, *(Movement("alice", "böb", 1 + n, "GOLD") for n in range(9)))
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    records = records_of(list(replayed.entries("GOLD", 6)))
    records.insert(4, Record(ZERO_ADDRESS, signer.address, 5))
    replay_by_hand(chain, signer, token, records)
    mismatches = found(replayed, chain, 1)
    assert [(m.kind, m.seq) for m in mismatches] == [(MismatchKind.FOREIGN_LOG, 10)]


def test_one_amount_that_the_operator_changed_is_named(
    replayed: Ledger, chain: Chain, signer: Signer
) -> None:
    post(replayed, *(Movement("alice", "böb", 1 + n, "GOLD") for n in range(9)))
    seal_all(replayed)
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    records = records_of(list(replayed.entries("GOLD", 6)))
    records[2] = records[2]._replace(amount=99)
    replay_by_hand(chain, signer, token, records)
    mismatches = found(replayed, chain)
    assert [(m.kind, m.seq, m.account_id) for m in mismatches] == [
        (MismatchKind.LOG_DIFFERS, 8, None),
        (MismatchKind.BALANCE_DIFFERS, None, "alice"),
        (MismatchKind.BALANCE_DIFFERS, None, "böb"),
    ]


def test_a_head_or_root_that_the_operator_made_up_is_named(
    replayed: Ledger, chain: Chain, signer: Signer
) -> None:
    post(replayed, *(Movement("alice", "böb", 1 + n, "GOLD") for n in range(3)))
    last = replayed.head("GOLD")
    records = records_of(list(replayed.entries("GOLD", 6)))
    snapshot = chain.request("evm_snapshot")
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    replay_by_hand(chain, signer, token, records)
    (mismatch,) = found(replayed, chain)
    assert (mismatch.kind, mismatch.batch) == (MismatchKind.HEAD_DIFFERS, 3)
    chain.request("evm_revert", snapshot)
    replay_by_hand(chain, signer, token, records, last.head)
    (mismatch,) = found(replayed, chain)
    assert (mismatch.kind, mismatch.batch) == (MismatchKind.ROOT_DIFFERS, 3)


def test_entries_that_are_not_replayed_are_counted(replayed: Ledger, chain: Chain) -> None:
    replayed.mint("alice", 1, asset="GOLD")
    replayed.mint("alice", 2, asset="GOLD")
    (mismatch,) = found(replayed, chain)
    assert (mismatch.kind, mismatch.asset, mismatch.seq) == (MismatchKind.NOT_REPLAYED, "GOLD", 6)
    assert "chain replay" in str(mismatch)
    (gold,) = (a for a in verify(replayed, chain).assets if a.symbol == "GOLD")
    assert (gold.entries, gold.waiting) == (5, 2)


def test_batches_that_were_taken_back_are_told_from_those_never_sent(
    book: Ledger, chain: Chain, signer: Signer
) -> None:
    deploy(book, chain, signer)
    before = chain.request("evm_snapshot")
    replay(book, chain, signer)
    noted = chain.block().number
    chain.request("evm_revert", before)
    with pytest.raises(StaleBlockError, match=rf"\(replay\) is noted as mined in block {noted} "):
        verify(book, chain)
    chain.request("anvil_mine", "0x8")
    waiting = [str(mismatch) for mismatch in found(book, chain, 3)]
    assert len(waiting) == 2
    assert all(
        "was noted in block" in it and "run `evm-ledger chain status`" in it for it in waiting
    )
    read_status(book, chain)
    assert all("run `evm-ledger seal`, then" in str(it) for it in found(book, chain, 3))


def test_entries_posted_while_verifying_are_no_mismatch_of_balances(
    replayed: Ledger, chain: Chain
) -> None:
    def post_more(_: Progress) -> None:
        replayed.transfer("alice", "böb", 1, asset="GOLD")

    report = verify(replayed, chain, progress=post_more)
    assert all(m.kind == MismatchKind.NOT_REPLAYED for m in report.mismatches)


def test_a_live_token_may_move_on(replayed: Ledger, chain: Chain, signer: Signer) -> None:
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    data = encode_call("finalize(bytes32,uint64)", token.history, token.last_seq)
    wallet.send_and_wait(
        chain, wallet.transact(chain, signer, token.address, data, gas=200_000), "finalizing"
    )
    holder = "0x" + "ab" * 20
    chain.request("anvil_impersonateAccount", holder)
    chain.request("anvil_setBalance", holder, hex(10**18))
    move = encode_call("transfer(address,uint256)", signer.address, 2)
    call = {"from": holder, "to": str(token.address), "data": "0x" + move.hex()}
    wallet.wait(chain, Hash32.parse(chain.request("eth_sendTransaction", call)))
    chain.request("anvil_stopImpersonatingAccount", holder)
    for level in LEVELS:
        report = verify(replayed, chain, level)
        assert report.agree
        assert [asset.live_transfers for asset in report.assets] == [0, 1]


def test_a_balance_that_no_log_explains_is_named(replayed: Ledger, chain: Chain) -> None:
    """Storage changed behind the contract's back: only level 2 sees it."""
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    address = replayed.account("böb").address
    slot = keccak(address + bytes(8) + bytes.fromhex("87a211a2"))
    chain.request("anvil_setStorageAt", str(token.address), "0x" + slot.hex(), f"0x{5:064x}")
    assert verify(replayed, chain, 1).agree
    (mismatch,) = found(replayed, chain)
    assert (mismatch.kind, mismatch.account_id) == (MismatchKind.BALANCE_DIFFERS, "böb")
    assert (mismatch.expected, mismatch.found) == ("2", "5")
    chain.request("anvil_setStorageAt", str(token.address), "0x05345cdf77eb68f44c", f"0x{9:064x}")
    assert MismatchKind.SUPPLY_DIFFERS in [m.kind for m in found(replayed, chain)]


def test_thousands_of_balances_are_read_in_one_call(
    sqlite_url: str, any_chain: Chain, signer: Signer
) -> None:
    with Ledger.create(sqlite_url, pepper=PEPPER) as ledger:
        ledger.create_asset("SCI", "SCI token")
        ledger.create_account("alice")
        seal_all(ledger)
        deploy(ledger, any_chain, signer)
        replay(ledger, any_chain, signer)
        token = token_of(ledger, any_chain, ledger.asset())
        alice = ledger.account("alice").address
        others = [type(alice)(address_word(n.to_bytes(8, "big"))[:20]) for n in range(1, 4_200)]
        addresses = [*others, alice]
        balances = list(read_balances(any_chain, token.address, addresses, any_chain.block()))
    assert balances == [0] * 4_199 + [1_000 * 10**18]


def test_at_most_limit_mismatches_are_listed(
    replayed: Ledger, chain: Chain, signer: Signer
) -> None:
    token = token_of(replayed, chain, replayed.asset("GOLD"))
    replay_by_hand(chain, signer, token, [Record(ZERO_ADDRESS, signer.address, 5)] * 9)
    report = verify(replayed, chain, 1, limit=4)
    assert (len(report.mismatches), report.omitted, report.agree) == (4, 5, False)


# --- could not tell ---


def test_no_contract_is_no_verdict(book: Ledger, chain: Chain, signer: Signer) -> None:
    with pytest.raises(NoContractError, match="chain deploy"):
        verify(book, chain)
    book.set_operator("SCI", signer.address)
    with pytest.raises(NoContractError, match="no contract at"):
        verify(book, chain)


def test_another_ledgers_contract_is_no_verdict(
    replayed: Ledger, chain: Chain, tmp_path: Path
) -> None:
    theirs = read_token(chain, replayed.identity, replayed.asset("SCI"), chain.block()).address
    code = "0x" + chain.code(theirs, chain.block()).hex()
    with Ledger.create(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.create_asset("SCI", "SCI token", 18)
        asset = other.set_operator("SCI", theirs)
        own = token_creation(other.identity.ledger_id, asset).address
        chain.request("anvil_setCode", str(own), code)
        with pytest.raises(ForeignContractError, match="ledgerId"):
            verify(other, chain)


def test_an_asset_without_entries_or_contract_is_no_difference(
    replayed: Ledger, chain: Chain
) -> None:
    replayed.create_asset("NEW", "New", 0)
    report = verify(replayed, chain)
    assert report.agree
    assert report.assets[-1].token is None


def test_a_level_that_is_none_is_refused(replayed: Ledger, chain: Chain) -> None:
    with pytest.raises(BridgeError, match="level"):
        verify(replayed, chain, 4)


Lie = Callable[[Any, Any], object]
Lies = Callable[[str, Lie], VerifyReport]


def _lying(node: Node, method: str, lie: Lie) -> Callable[[dict[str, Any]], bytes]:
    """Return an answerer that passes everything on, and changes the results of one method."""

    def answer(asked: dict[str, Any]) -> bytes:
        answered = json.loads(forward(node.port, asked))
        if asked["method"] == method and "result" in answered:
            answered["result"] = lie(asked["params"], answered["result"])
        return json.dumps(answered).encode()

    return answer


def _without_transfers(_: object, logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [log for log in logs if log["topics"][0] == str(BATCH_REPLAYED)]


@pytest.fixture
def lies(anvil: Node, replayed: Ledger) -> Lies:
    """Return a function that verifies through a node which lies."""

    def verify_through(method: str, lie: Lie) -> VerifyReport:
        with server(_lying(anvil, method, lie)) as url, Chain.connect(url) as lying:
            return verify(replayed, lying)

    return verify_through


@pytest.mark.parametrize(
    "lie",
    [
        lambda _, logs: [] if len(logs) > 1 else logs,
        lambda _, logs: logs[:-1],
        lambda _, logs: logs[1:],
        lambda _, logs: logs[::2],
        _without_transfers,
        lambda _params, _logs: [],
    ],
    ids=[
        "empty when many",
        "last missing",
        "first missing",
        "every second",
        "no transfers",
        "none",
    ],
)
def test_a_node_without_all_logs_is_no_verdict(lies: Lies, lie: Lie) -> None:
    with pytest.raises(ChainError, match=r"use a node that has all logs|moved"):
        lies("eth_getLogs", lie)


def test_history_is_recomputed_from_the_logs_themselves(lies: Lies) -> None:
    def change_an_amount(_: object, logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for log in logs:
            if int(log["data"], 16) == 10**4:
                log["data"] = f"0x{10**4 + 1:064x}"
        return logs

    kinds = {m.kind for m in lies("eth_getLogs", change_an_amount).mismatches}
    assert kinds == {MismatchKind.HISTORY_DIFFERS, MismatchKind.LOG_DIFFERS}


def test_a_block_that_is_replaced_meanwhile_is_no_verdict(lies: Lies) -> None:
    asked: list[object] = []

    def another_block(params: list[object], block: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        if params[0] != "latest":
            block["hash"] = "0x" + "11" * 32
        return block

    with pytest.raises(ReorganisedError):
        lies("eth_getBlockByNumber", another_block)
    assert len(asked) == 2


def test_a_node_that_goes_away_is_no_verdict(replayed: Ledger, anvil: Node) -> None:
    calls = 0

    def answer(asked: dict[str, Any]) -> bytes | None:
        nonlocal calls
        calls += 1
        return None if calls > 30 else forward(anvil.port, asked)

    with server(answer) as url, Chain.connect(url) as shaky, pytest.raises(NoAnswerError):
        verify(replayed, shaky)
