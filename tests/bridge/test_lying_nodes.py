"""One lying answer of a node is never taken for agreement, and it is said which one it was.

Every answer of an honest verification is altered in turn, in every way that fits it, by a proxy
before a real node; all other answers stay what they are. Then either the report is the honest one
to the letter (the lie was about nothing that is stated: those are listed), or there is an error
that names the answer, or, at the levels without proofs, a mismatch.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from bridge.chain import Chain
from bridge.codec import TRANSFER, encode_call
from bridge.compare import MismatchKind
from bridge.deploy import deploy
from bridge.errors import (
    BridgeError,
    ChainError,
    ContradictionError,
    ReorganisedError,
    StaleBlockError,
)
from bridge.jsonrpc import to_hex
from bridge.locate import first_difference
from bridge.replay import replay
from bridge.token_layout import balance_slot
from bridge.verify import LEVELS, LIVE_BLOCKS, VerifyReport, verify
from ledger import Hash32, Ledger
from tests.bridge import wallet
from tests.bridge.histories import altered_copy
from tests.bridge.test_replay import token_of
from tests.support.nodes import reset_base_fee
from tests.support.rpc_proxy import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, RpcProxy

Json: TypeAlias = Any


@dataclass(frozen=True)
class Lie:
    """One way to answer one request otherwise."""

    name: str
    tell: Callable[[Json, Json, Forward], Json]
    """Given the request, the honest answer and the way to the node, returns the whole answer."""


@dataclass(frozen=True)
class Told:
    """What came of one lie."""

    call: str
    """What was asked: the method, and for what."""
    lie: str
    said: VerifyReport | ChainError


# --- lies ---


def results(name: str, *values: object) -> Iterator[Lie]:
    """Yield a lie for each other result."""
    for number, value in enumerate(values):
        yield Lie(
            f"{name} {number}" if len(values) > 1 else name,
            lambda _, answer, __, value=value: {**answer, "result": value},  # type: ignore[misc]  # binds it now
        )


def refuse(request: Json, _: Json, __: Forward) -> Json:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "no"}}


def hang_up(*_: Json) -> Json:
    raise Dropped


ANYTHING: Final = (
    Lie("error", refuse),
    Lie("hang up", hang_up),
    *results("other type", None, 7, "", "zz", [], {}, [{}]),
    Lie("no result", lambda request, _, __: {"jsonrpc": "2.0", "id": request["id"]}),
)
AGAIN: Final = ANYTHING[:3]
"""What is answered instead to the same question once more."""


def asked_of(block: str, other: object) -> Lie:
    """Return the lie that answers for another block, as the node does."""

    def tell(request: Json, _: Json, forward: Forward) -> Json:
        parameters = [
            other if isinstance(it, dict) and "blockHash" in it else it for it in request["params"]
        ]
        return forward({**request, "params": parameters})

    return Lie(f"of {block}", tell)


def flipped(text: str, at: int = -1) -> str:
    """Return hex text with one digit changed."""
    digits = list(text)
    digits[at] = "1" if digits[at] == "0" else "0"
    return "".join(digits)


def ways(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each text in an answer."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from ways(value[key], (*path, key))


def changed(answer: Json, path: tuple[Any, ...], change: Callable[[str], object]) -> Json:
    """Return a copy of a result in which one text is another."""
    made = inner = copy.deepcopy(answer)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = change(inner[path[-1]])
    return made


def altered_texts(result: Json, first: tuple[int, ...] = ()) -> Iterator[Lie]:
    """Yield lies that change one digit of one text: the last, or one in the middle of a long text.

    Of all texts, or of those in the elements `first` of a list.
    """
    for path in ways(result):
        if first and path[0] not in first:
            continue
        name = ".".join(map(str, path))
        text = result
        for key in path:
            text = text[key]
        at = len(text) // 2 if len(text) > 66 else -1
        if len(text) > 2:
            yield from results(
                f"alter {name}",
                changed(result, path, lambda it, at=at: flipped(it, at)),  # type: ignore[misc]  # binds it now
            )


def of_a_header(result: Json) -> Iterator[Lie]:
    for field in result:
        if isinstance(result[field], str):
            other = flipped(result[field]) if len(result[field]) > 2 else "0x01"
            yield from results(f"alter {field}", {**result, field: other})
        yield from results(f"without {field}", {k: v for k, v in result.items() if k != field})
    yield from results(
        "of another block", {**result, "number": "0x1", "stateRoot": "0x" + "7" * 64}
    )


def of_a_block(result: Json) -> Iterator[Lie]:
    for field in ("number", "hash", "stateRoot", "timestamp"):
        yield from results(f"alter {field}", changed(result, (field,), flipped))
    for field in ("number", "hash", "baseFeePerGas"):
        yield from results(f"without {field}", {k: v for k, v in result.items() if k != field})
    number = int(result["number"], 16)

    def other(request: Json, _: Json, forward: Forward) -> Json:
        return forward(
            {
                **request,
                "method": "eth_getBlockByNumber",
                "params": [hex(number - 1), False],
            }
        )

    yield Lie("of the block before", other)


def of_logs(result: Json) -> Iterator[Lie]:
    yield from altered_texts(result, (0, len(result) // 2, len(result) - 1))
    yield from results("none", [])
    yield from results("reversed", result[::-1])
    yield from results("all twice", result * 2)
    for place, log in enumerate(result):
        yield from results(f"drop {place}", result[:place] + result[place + 1 :])
        yield from results(f"double {place}", [*result[: place + 1], *result[place:]])
        yield from results(
            f"removed {place}", [*result[:place], {**log, "removed": True}, *result[place + 1 :]]
        )
        if place < len(result) - 1:
            yield from results(f"cut after {place}", result[: place + 1])
        yield from results(
            f"less data {place}", changed(result, (place, "data"), lambda it: it[:-2])
        )
        yield from results(
            f"fewer topics {place}",
            [*result[:place], {**log, "topics": log["topics"][:-1]}, *result[place + 1 :]],
        )
        if place:
            pair = [log, result[place - 1]]
            yield from results(f"swap {place}", [*result[: place - 1], *pair, *result[place + 1 :]])
            there = {key: value for key, value in log.items() if key in {"data", "topics"}}
            here = {**result[place - 1], **there}
            moved = {
                **log,
                "data": result[place - 1]["data"],
                "topics": result[place - 1]["topics"],
            }
            if log["topics"] != result[place - 1]["topics"] or log["data"] != moved["data"]:
                yield from results(
                    f"exchange {place}", [*result[: place - 1], here, moved, *result[place + 1 :]]
                )
        forged = {
            **log,
            "logIndex": hex(int(log["logIndex"], 16) + 1),
            "topics": [str(TRANSFER), "0x" + "00" * 32, "0x" + "00" * 31 + "07"],
            "data": "0x" + "00" * 31 + "05",
        }
        yield from results(
            f"slip in after {place}", [*result[: place + 1], forged, *result[place + 1 :]]
        )


def of_a_call(result: Json) -> Iterator[Lie]:
    words = [result[2 + at : 2 + at + 64] for at in range(0, len(result) - 2, 64)]
    for place in range(len(words)):
        for name, word in (
            ("more", f"{(int(words[place], 16) + 1) % 2**256:064x}"),
            ("zero", "0" * 64),
            ("flip", flipped(words[place], 20)),
        ):
            if word != words[place]:
                other = [*words[:place], word, *words[place + 1 :]]
                yield from results(f"{name} {place}", "0x" + "".join(other))
    if words != words[::-1]:
        yield from results("reversed", "0x" + "".join(words[::-1]))
    yield from results("a word less", "0x" + "".join(words[:-1]))
    yield from results("a word more", result + "00" * 32)
    yield from results("cut", result[:-2])
    yield asked_of("the first block", "0x0")


def of_code(result: Json) -> Iterator[Lie]:
    yield from results("nothing", "0x")
    yield from results("something", "0x60016001")
    if len(result) > 2:
        yield from results("flip", flipped(result), flipped(result, 99))
        yield from results("cut", result[:-2])
        yield from results("more", result + "00")


def of_a_proof(result: Json) -> Iterator[Lie]:
    yield from altered_texts(result)
    slots, nodes = result["storageProof"], result["accountProof"]
    for name, other in (
        ("nodes reversed", {"accountProof": nodes[::-1]}),
        ("a node less", {"accountProof": nodes[:-1]}),
        ("a node twice", {"accountProof": [*nodes, nodes[-1]]}),
        ("no nodes", {"accountProof": []}),
        ("no slots", {"storageProof": []}),
        ("a slot less", {"storageProof": slots[:-1]}),
        ("a slot more", {"storageProof": [*slots, slots[-1]]}),
        ("slots reversed", {"storageProof": slots[::-1]}),
        ("one slot for all", {"storageProof": [slots[0]] * len(slots)}),
    ):
        yield from results(name, {**result, **other})
    for place, slot in enumerate(slots):
        for name, other in (
            ("no nodes", {"proof": []}),
            ("a node less", {"proof": slot["proof"][:-1]}),
            ("a node twice", {"proof": [*slot["proof"], slot["proof"][-1]]}),
            ("another's nodes", {"proof": slots[place - 1]["proof"]}),
            ("another's value", {"value": slots[place - 1]["value"] + "0"}),
            ("nothing there", {"value": "0x0", "proof": []}),
        ):
            yield from results(f"slot {place}: {name}", changed_slot(result, place, other))

    def of_another(request: Json, _: Json, forward: Forward) -> Json:
        other = ["0x" + "11" * 20, *request["params"][1:]]
        return forward({**request, "params": other})

    yield Lie("of another account", of_another)
    yield asked_of("the first block", "0x0")
    yield asked_of("an early block", "0x3")


def changed_slot(result: Json, place: int, other: Json) -> Json:
    """Return a proof in which one slot's is another."""
    slots = result["storageProof"]
    return {
        **result,
        "storageProof": [*slots[:place], {**slots[place], **other}, *slots[place + 1 :]],
    }


def of_receipts(result: Json) -> Iterator[Lie]:
    for path in ways(result):
        if path[1] in {"status", "cumulativeGasUsed", "logsBloom", "logs"}:
            name = ".".join(map(str, path))
            yield from results(f"alter {name}", changed(result, path, flipped))
    (receipt,) = result
    logs = receipt["logs"]
    for name, other in (
        ("no log", []),
        ("a log twice", [*logs, logs[-1]]),
        ("a log less", logs[:-1]),
        ("reversed", logs[::-1]),
    ):
        if other != logs:
            yield from results(name, [{**receipt, "logs": other}])
    yield from results("none", [])
    yield from results("twice", [receipt, receipt])
    yield Lie(
        "of another block",
        lambda request, _, forward: forward({**request, "params": ["0x1"]}),
    )


def of_a_number(result: Json) -> Iterator[Lie]:
    yield from results("more", hex(int(result, 16) + 1))
    yield from results("mainnet", "0x1")


LIES: Final[dict[str, Callable[[Json], Iterator[Lie]]]] = {
    "eth_chainId": of_a_number,
    "eth_getBlockByNumber": of_a_block,
    "eth_getBlockByHash": of_a_header,
    "eth_getCode": of_code,
    "eth_call": of_a_call,
    "eth_getLogs": of_logs,
    "eth_getProof": of_a_proof,
    "eth_getBlockReceipts": of_receipts,
}


# --- telling them ---


class Liar:
    """A proxy that lies once. What the node answers is asked for once: nothing changes there."""

    def __init__(self, proxy: RpcProxy, ledger: Ledger) -> None:
        self._proxy, self._ledger = proxy, ledger
        self._known: dict[str, Json] = {}
        self._record: list[tuple[Json, Json]] = []

    def _ask(self, request: Json) -> Json:
        key = json.dumps([request["method"], request["params"]])
        if key not in self._known:
            self._known[key] = self._proxy.forward(request)
        return {**self._known[key], "id": request["id"]}

    def verify(
        self,
        level: int,
        at: int = -1,
        lie: Lie | None = None,
        *,
        block: str = "latest",
        live_blocks: int | None = LIVE_BLOCKS,
    ) -> VerifyReport | ChainError:
        """Verify, with one lie as the answer to request `at`."""
        self._record = record = []

        def behave(request: Json, _: Forward) -> Json:
            answer = self._ask(request)
            record.append((request, answer))
            if lie is not None and len(record) == at + 1:
                return lie.tell(request, answer, self._ask)
            return answer

        self._proxy.behave = behave
        try:
            with Chain.connect(self._proxy.url) as chain:
                return verify(self._ledger, chain, level, block=block, live_blocks=live_blocks)
        except ChainError as error:
            return error

    def longest_logs(self) -> int:
        """Return which request of the last verification was for all logs."""
        sizes = [
            len(answer["result"]) if request["method"] == "eth_getLogs" else -1
            for request, answer in self._record
        ]
        return sizes.index(max(sizes))

    def tell_all(
        self,
        level: int,
        wanted: Callable[[str, Lie], bool] = lambda _, __: True,
        each: int | None = None,
    ) -> tuple[VerifyReport, list[Told]]:
        """Return the honest report, and what came of every lie in every place.

        Of requests with the same name, lie in the answers to the first `each`.
        """
        honest = self.verify(level)
        assert isinstance(honest, VerifyReport)
        assert honest.agree
        told: list[Told] = []
        seen: Counter[str] = Counter()
        for at, (request, answer) in enumerate(list(self._record)):
            call = name_of(request)
            seen[call] += 1
            if each is not None and seen[call] > each:
                continue
            lies = (
                *(ANYTHING if seen[call] == 1 else AGAIN),
                *LIES[request["method"]](answer["result"]),
            )
            told += [
                Told(call, lie.name, self.verify(level, at, lie))
                for lie in lies
                if wanted(call, lie)
            ]
        return honest, told


GETTERS: Final = {
    to_hex(encode_call(f"{name}()")): name
    for name in (
        *("ledgerId", "assetId", "ledgerDomainSeparator", "history", "head", "lastSeq"),
        *("batchCount", "totalSupply", "operator", "live"),
    )
}


def name_of(request: Json) -> str:
    """Return what a request asks for."""
    method, parameters = request["method"], request["params"]
    if method == "eth_call":
        return f"eth_call {GETTERS.get(parameters[0]['data'], 'balances')}"
    if method == "eth_getCode" and isinstance(parameters[1], str):
        return "eth_getCode, where logs begin"
    return str(method)


def put_on_chain(url: str, chain: Chain, signer: Signer) -> Ledger:
    """Return a ledger whose entries are on the chain in two batches."""
    ledger = Ledger.create(url)
    ledger.create_asset("SCI", "SCI token", 0)
    ledger.create_account("alice", 0)
    ledger.create_account("bob", 0)
    deploy(ledger, chain, signer)
    ledger.mint("alice", 1_000)
    ledger.transfer("alice", "bob", 30)
    ledger.seal()
    replay(ledger, chain, signer)
    for amount in (7, 8, 9):
        ledger.transfer("bob", "alice", amount)
    ledger.seal()
    replay(ledger, chain, signer)
    return ledger


@pytest.fixture(scope="module")
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the ledger of all these tests is."""
    return f"sqlite:///{tmp_path_factory.mktemp('lies') / 'ledger.db'}"


@pytest.fixture(scope="module")
def once(anvil_process: Node, ledger_url: str, signer: Signer) -> Iterator[Ledger]:
    """Return a ledger on the chain, and a block after: lies are the proxy's, and change neither."""
    snapshot = anvil_process.rpc("evm_snapshot")
    with (
        Chain.connect(anvil_process.url) as chain,
        put_on_chain(ledger_url, chain, signer) as ledger,
    ):
        chain.request("evm_mine")
        yield ledger
    assert anvil_process.rpc("evm_revert", snapshot)
    reset_base_fee(anvil_process)


@pytest.fixture
def replayed(once: Ledger, anvil: Node) -> Ledger:
    """Return that ledger; what a test does to the chain is forgotten after it."""
    del anvil  # its snapshot is taken after `once`
    return once


NAMES: Final = {
    "eth_chainId": r"chain|a number",
    "eth_getBlockByNumber": r"block|eth_getBlockByNumber",
    "eth_getBlockByHash": r"block|header|eth_getBlockByHash",
    "eth_getCode": r"code|contract|logs|data|eth_getCode",
    "eth_call": r"contract|batch|balances|data|eth_call|entry",
    "eth_getLogs": r"log|batch|history",
    "eth_getProof": r"the proof that .* is none: |eth_getProof",
    "eth_getBlockReceipts": r"receipt",
}
"""What the error must speak of, by the request whose answer was a lie."""

NO_ANSWER: Final = {"hang up", "no result"}
"""These name the node."""

ONE_BY_ONE: Final = ("eth_getBlockReceipts", "error")
"""Then the receipts are asked for one by one."""

OWN_WORDS: Final = (
    r"eth_getLogs|eth_getBlockReceipts",
    r"alter (0\.logs\.)?\d+\.blockTimestamp",
)
"""Some nodes say when a log's block was made."""

VOID: Final = (
    # Of a block, number and hash are read; of the one that is asked for by hash, the header, whose
    # hash is computed. Everything else that nodes say of it is in no statement.
    (r"eth_getBlockByNumber", r"(alter|without) (stateRoot|timestamp|baseFeePerGas)"),
    (
        r"eth_getBlockByHash",
        r"(alter|without) (hash|size|totalDifficulty|transactions|uncles|withdrawals)",
    ),
    # Only asked for where the logs begin: too early is no matter, and too late is seen.
    (r"eth_getCode, where logs begin", r".*"),
    # The range is asked for again, in halves.
    (r"eth_getLogs", r"error"),
    OWN_WORDS,
    # Levels 1 and 2 say nothing of who the operator is, level 1 nothing of the supply. A token that
    # is called live, and of which nothing moved since, has the same logs.
    (r"eth_call operator", r".*"),
    (r"eth_call totalSupply", r".*"),
    (r"eth_call live", r"more 0|other type \d|flip 0|a word more"),
    # Decoded the same: what comes after the answer is nothing.
    (r"eth_call \w+", r"a word more"),
    ONE_BY_ONE,
)
"""Lies that change nothing of what is stated: (request, lie)."""


def fits(rule: tuple[str, str], it: Told) -> bool:
    """Tell whether a rule is about a lie."""
    return all(re.fullmatch(*pair) for pair in zip(rule, (it.call, it.lie), strict=True))


def check(honest: VerifyReport, told: list[Told], at_level: int) -> set[tuple[str, str]]:
    """Assert that no lie was taken for agreement; return which of the void ones were met."""
    void = set()
    for it in told:
        said, what = it.said, (at_level, it.call, it.lie)
        if isinstance(said, ChainError):
            names = NAMES[re.split("[ ,]", it.call)[0]]
            assert it.lie in NO_ANSWER or re.search(names, str(said)), (*what, str(said))
        elif said == honest:
            rule = next((rule for rule in VOID if fits(rule, it)), None)
            assert rule is not None, what
            void.add(rule)
        elif it.lie == "of the block before":
            # True, and of the block that the report names.
            assert said.agree, what
            assert said.block_number == honest.block_number - 1, what
        else:
            assert at_level < 3, (*what, said.mismatches)
            assert not said.agree, what
    return void


def test_every_single_lie_is_found_by_proof(replayed: Ledger, rpc_proxy: RpcProxy) -> None:
    """And none of them makes the ledger look wrong: at level 3 there is never a mismatch."""
    honest, told = Liar(rpc_proxy, replayed).tell_all(3)
    assert len(told) > 300
    assert {it.call for it in told} == {
        "eth_chainId",
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getProof",
        "eth_getCode, where logs begin",
        "eth_getLogs",
    }
    void = check(honest, told, 3)
    assert void == set(VOID[:5])
    contradictions = sum(isinstance(it.said, ContradictionError) for it in told)
    assert contradictions > len(told) / 2


@pytest.mark.parametrize("level", [1, 2])
def test_a_single_lie_is_found_without_proofs_too(
    replayed: Ledger, rpc_proxy: RpcProxy, level: int
) -> None:
    """Other answers were honest: a node that lies in all of them is believed (see below)."""
    logs = re.compile(r"none|all twice|drop .*|exchange .*|alter \d.data|slip in .*")
    values = re.compile(r"(more|zero|flip) \d+|nothing|something|flip \d+|cut|reversed")

    def wanted(call: str, lie: Lie) -> bool:
        """Tell whether to tell it: level 1 asks what level 2 does, and answers fail alike."""
        if call == "eth_getLogs":  # at level 3 all of them
            return level == 2 and bool(logs.fullmatch(lie.name))
        if not call.startswith("eth_call") and call != "eth_getCode":
            return False
        whole = level == 2 and call in {"eth_call history", "eth_call balances", "eth_getCode"}
        return whole or bool(values.fullmatch(lie.name))

    honest, told = Liar(rpc_proxy, replayed).tell_all(level, wanted)
    assert len(told) > (30 if level == 1 else 100)
    check(honest, told, level)
    kinds = {
        mismatch.kind
        for it in told
        if isinstance(it.said, VerifyReport)
        for mismatch in it.said.mismatches
    }
    assert MismatchKind.HISTORY_DIFFERS in kinds
    assert (MismatchKind.BALANCE_DIFFERS in kinds) is (level == 2)
    assert (MismatchKind.SUPPLY_DIFFERS in kinds) is (level == 2)


# --- lies in all answers at once ---


def test_a_node_and_a_database_that_lie_together_are_found_by_proof(
    replayed: Ledger, chain: Chain, ledger_url: str, tmp_path: Path
) -> None:
    """The balance is another in the database and in the node's state, and no entry says why."""
    true = chain.block()
    token = token_of(replayed, chain, replayed.asset()).address
    slot = balance_slot(replayed.account("bob").address)
    chain.request("anvil_setStorageAt", str(token), str(slot), f"0x{500:064x}")
    word = f"{500:064x}"
    change = f"UPDATE token_balances SET balance = x'{word}' WHERE account_id = 'bob'"  # noqa: S608 (a number)
    with Ledger.open(altered_copy(ledger_url, change, tmp_path)) as altered:
        assert verify(altered, chain, 2).agree
        # The header is still the true one, and no proof leads from it to the node's state.
        with pytest.raises(ContradictionError, match="fails"):
            verify(altered, chain, 3)
        # With a chain of its own the node can prove what it says, but not of the true block.
        chain.request("evm_mine")
        assert verify(altered, chain, 3).agree
        for known in (str(true.hash), str(true.number)):
            with pytest.raises(ContradictionError, match="fails"):
                verify(altered, chain, 3, block=known)
    (mismatch,) = verify(replayed, chain, 3).mismatches
    assert (mismatch.kind, mismatch.account_id) == (MismatchKind.BALANCE_DIFFERS, "bob")
    assert (mismatch.expected, mismatch.found) == ("6", "500")


def test_the_hash_that_was_asked_for_is_the_one_that_is_verified(
    replayed: Ledger, rpc_proxy: RpcProxy, chain: Chain
) -> None:
    pinned = chain.block()
    with Chain.connect(rpc_proxy.url) as lying:
        report = verify(replayed, lying, 3, block=str(pinned.hash))
        assert (report.block_hash, report.agree) == (pinned.hash, True)
        with pytest.raises(ReorganisedError, match="has no block"):
            verify(replayed, lying, 3, block="0x" + "11" * 32)

        def another(request: Json, forward: Forward) -> Json:
            if request["method"] == "eth_getBlockByHash":
                return forward(
                    {
                        **request,
                        "method": "eth_getBlockByNumber",
                        "params": [hex(pinned.number - 1), False],
                    }
                )
            return forward(request)

        rpc_proxy.behave = another
        with pytest.raises(ContradictionError, match="asked for was"):
            verify(replayed, lying, 3, block=str(pinned.hash))

        def renamed(request: Json, forward: Forward) -> Json:
            answer = another(request, forward)
            if request["method"] == "eth_getBlockByHash":
                answer["result"]["hash"] = str(pinned.hash)
            return answer

        rpc_proxy.behave = renamed
        with pytest.raises(ContradictionError, match="hashes to"):
            verify(replayed, lying, 3, block=str(pinned.hash))


def test_blocks_are_named_by_tag_number_or_hash(replayed: Ledger, chain: Chain) -> None:
    for _ in range(3):
        chain.request("evm_mine")
    latest = chain.block()
    for name in ("latest", str(latest.number), str(latest.hash)):
        for level in (1, 2, 3):
            assert verify(replayed, chain, level, block=name).block_hash == latest.hash
    for tag in ("safe", "finalized"):
        report = verify(replayed, chain, 3, block=tag)
        assert report.block_hash == chain.block(tag).hash
        assert report.block_number < latest.number
    for name in ("", "pending", "earliest", "-1", "0x12", "\u0661", "1.0"):
        with pytest.raises(BridgeError, match="block"):
            verify(replayed, chain, 1, block=name)
    with pytest.raises(ReorganisedError, match="has no block"):
        verify(replayed, chain, 1, block="999999")


# --- an old block for the head ---


def test_a_head_before_our_own_transactions_is_refused(
    replayed: Ledger, rpc_proxy: RpcProxy, chain: Chain, ledger_url: str, tmp_path: Path
) -> None:
    """All is consistent there, and proven: but the outbox knows of a later block."""
    head = chain.block().number
    shown = head - 1

    def held_back(request: Json, forward: Forward) -> Json:
        if request["method"] == "eth_getBlockByNumber" and not request["params"][0].startswith(
            "0x"
        ):
            request = {**request, "params": [hex(shown), False]}
        return forward(request)

    rpc_proxy.behave = held_back
    with Chain.connect(rpc_proxy.url) as lying:
        assert verify(replayed, lying, 3).block_number == head - 1  # the last batch is in there
        shown = head - 2
        for level in LEVELS:
            with pytest.raises(StaleBlockError, match=rf"\(replay\) is noted as .* {head - 1} "):
                verify(replayed, lying, level)
        with pytest.raises(StaleBlockError, match=f"says that the latest block is {head - 2} "):
            first_difference(replayed, lying)
        # Another head may be that old, unless what is noted has come as far.
        assert not verify(replayed, lying, 3, block="finalized").agree
        change = "UPDATE token_submissions SET status = 'finalized' WHERE number = 2"
        with (
            Ledger.open(altered_copy(ledger_url, change, tmp_path)) as noted,
            pytest.raises(StaleBlockError, match=r"the finalized block is .* noted as finalized"),
        ):
            verify(noted, lying, 3, block="finalized")
        # Who names a block by its number or hash wants that one.
        assert not verify(replayed, lying, 3, block=str(head - 2)).agree


# --- after finalize ---

STRANGER: Final = "0x" + "77" * 20


def bring_to_life(ledger: Ledger, chain: Chain, signer: Signer) -> None:
    """Take a token live and move it: of the logs, the last are as `LOG_LIES` has them."""
    token = token_of(ledger, chain, ledger.asset())
    alice, bob = (ledger.account(name).address for name in ("alice", "bob"))
    chain.request("evm_mine")
    data = encode_call("finalize(bytes32,uint64)", token.history, token.last_seq)
    wallet.send_and_wait(
        chain, wallet.transact(chain, signer, token.address, data, gas=200_000), "finalizing"
    )
    for from_, to, amount in (
        *((alice, signer.address, 5), (alice, signer.address, 6)),
        (signer.address, bytes.fromhex(STRANGER[2:]), 4),
        *((alice, bob, 3), (bob, alice, 3)),
    ):
        move = encode_call("transfer(address,uint256)", to, amount)
        chain.request("hardhat_impersonateAccount", str(from_))
        chain.request("hardhat_setBalance", str(from_), hex(10**20))
        call = {"from": str(from_), "to": str(token.address), "data": to_hex(move)}
        wallet.wait(chain, Hash32.parse(chain.request("eth_sendTransaction", call)))
        chain.request("hardhat_stopImpersonatingAccount", str(from_))
    allow = encode_call("approve(address,uint256)", bob, 1)
    wallet.send_and_wait(
        chain, wallet.transact(chain, signer, token.address, allow, gas=100_000), "allowing"
    )
    chain.request("evm_mine")


def altered(log: Json, **fields: object) -> Json:
    return {**log, **fields}


def made_up(logs: list[Json], before: int, block: int = 0) -> Json:
    """Return a log that nobody emitted: 2 units from one holder to another."""
    topics = [logs[-4]["topics"][0], logs[-2]["topics"][1], logs[-2]["topics"][2]]
    number = hex(int(logs[before]["blockNumber"], 16) + block)
    return {
        **logs[before],
        "logIndex": "0x7",
        "blockNumber": number,
        "topics": topics,
        "data": f"0x{2:064x}",
    }


ALICE: Final = r"account alice \(0x\w+\): \d+ by proof, and the logs that .* make \d+"
LOG_LIES: Final[dict[str, tuple[Callable[[list[Json]], list[Json]], str, str]]] = {
    # What the logs are instead; how that is named by receipts, and how by balances alone: "" if
    # they are the same. The last logs: finalized, 5, 6 and 4 units, 3 to bob, 3 back, an approval.
    "left out": (
        lambda logs: logs[:-6] + logs[-5:],
        r"left out log 0 of block \d+, a Transfer of 5 from \w+ to \w+, which is in the receipts",
        ALICE,
    ),
    "two left out that cancel out": (
        lambda logs: logs[:-3] + logs[-1:],
        r"left out log 0 of block \d+, a Transfer of 3 from",
        "",
    ),
    "all left out": (lambda logs: logs[:-7], r"left out log \d of block \d+, an event 0x", ALICE),
    "the last left out": (lambda logs: logs[:-1], r"left out log 0 of block \d+, an event 0x", ""),
    "another amount": (
        lambda logs: [*logs[:-6], altered(logs[-6], data=f"0x{4:064x}"), *logs[-5:]],
        r"log 0 of block \d+, a Transfer of 4 .* which is by the receipts a Transfer of 5 ",
        ALICE,
    ),
    "to somebody else": (
        lambda logs: [
            *logs[:-4],
            altered(logs[-4], topics=[*logs[-4]["topics"][:2], logs[-4]["topics"][1][:-1] + "0"]),
            *logs[-3:],
        ],
        r"a Transfer of 4 .* which is by the receipts a Transfer of 4 from \w+ to 0x7777",
        r"an address that is no account's \(0x\w+\): \d+ by proof, and the logs",
    ),
    "doubled": (
        lambda logs: [*logs[:-5], logs[-6], *logs[-5:]],
        r"returned log 0 of block (\d+) after log 0 of block \1",
        r"returned log 0 of block (\d+) after log 0 of block \1",
    ),
    "doubled elsewhere": (
        lambda logs: [*logs[:-5], altered(logs[-6], logIndex="0x7"), *logs[-5:]],
        r"returned log 7 of block \d+, a Transfer of 5 .* none of the receipts: it was made up",
        ALICE,
    ),
    "made up": (
        lambda logs: [*logs[:-1], made_up(logs, -2), logs[-1]],
        r"returned log 7 of block \d+, a Transfer of 2 .* none of the receipts: it was made up",
        ALICE,
    ),
    "made up before it went live": (
        lambda logs: [*logs[:-8], made_up(logs, -7, -1), *logs[-8:]],
        r"returned log 7 of block \d+, a Transfer of 2 .* in no batch, and of before it went live",
        ALICE,
    ),
    "exchanged": (
        lambda logs: [
            *logs[:-6],
            altered(logs[-6], data=logs[-5]["data"]),
            altered(logs[-5], data=logs[-6]["data"]),
            *logs[-4:],
        ],
        r"a Transfer of 6 .* which is by the receipts a Transfer of 5 ",
        "",
    ),
    "out of order": (
        lambda logs: [*logs[:-6], logs[-5], logs[-6], *logs[-4:]],
        r"left out log 0 of block \d+, a Transfer of 5 ",
        r"returned log 0 of block \d+ after log 0 of block \d+",
    ),
    "in another block": (
        lambda logs: [
            *logs[:-6],
            altered(logs[-6], blockNumber=logs[-5]["blockNumber"], blockHash=logs[-5]["blockHash"]),
            altered(logs[-5], logIndex="0x1"),
            *logs[-4:],
        ],
        r"left out log 0 of block \d+, a Transfer of 5 ",
        "",
    ),
}


def test_each_lie_about_the_logs_of_a_live_token_is_named(
    any_chain: Chain, hostile: RpcProxy, signer: Signer, tmp_path: Path
) -> None:
    """By the receipts, to the log; by balances alone, to the account."""
    with put_on_chain(f"sqlite:///{tmp_path / 'live.db'}", any_chain, signer) as ledger:
        bring_to_life(ledger, any_chain, signer)
        liar = Liar(hostile, ledger)
        for live_blocks, proven in ((3, 1), (0, 0), (LIVE_BLOCKS, 5), (None, 5)):
            honest = liar.verify(3, live_blocks=live_blocks)
            assert isinstance(honest, VerifyReport), honest
            (asset,) = honest.assets
            assert (honest.agree, asset.live_transfers) == (True, 5)
            assert (asset.proven_transfers, asset.all_proven) == (proven, proven == 5)
        for live_blocks in (None, 0):
            liar.verify(3, live_blocks=live_blocks)
            at = liar.longest_logs()
            for name, (change, *names) in LOG_LIES.items():
                named = names[live_blocks is not None]
                lie = Lie(name, lambda _, answer, __, change=change: {  # type: ignore[misc]  # binds it now
                    **answer, "result": change(answer["result"])
                })  # fmt: skip
                said = liar.verify(3, at, lie, live_blocks=live_blocks)
                if named:
                    assert isinstance(said, ContradictionError), (name, live_blocks, said)
                    assert re.search(named, str(said)), (name, live_blocks, str(said))
                else:
                    assert isinstance(said, VerifyReport), (name, said)
                    assert said.agree, name
                    assert said.assets[0].proven_transfers == 0, name
                    assert not said.assets[0].all_proven, name  # and it says so


def test_every_single_lie_about_a_live_token_is_found(
    replayed: Ledger, rpc_proxy: RpcProxy, chain: Chain, signer: Signer
) -> None:
    bring_to_life(replayed, chain, signer)
    headers = re.compile(
        r"(alter|without) (parentHash|logsBloom|receiptsRoot|timestamp)|of another block|error"
    )

    def wanted(call: str, lie: Lie) -> bool:
        if call == "eth_getLogs":  # of those before it went live: as before
            return bool(re.search(r" 1\d(\.|$)|^none$", lie.name))
        if call == "eth_getBlockByHash":
            return bool(headers.fullmatch(lie.name))
        return call == "eth_getBlockReceipts"

    honest, told = Liar(rpc_proxy, replayed).tell_all(3, wanted, each=2)
    assert (honest.assets[0].live_transfers, honest.assets[0].proven_transfers) == (5, 5)
    assert len(told) > 100
    void = check(honest, told, 3)
    assert void == {ONE_BY_ONE, OWN_WORDS}


def test_receipts_that_a_node_does_not_have_are_no_verdict(
    replayed: Ledger, rpc_proxy: RpcProxy, chain: Chain, signer: Signer
) -> None:
    bring_to_life(replayed, chain, signer)

    def forgetful(request: Json, forward: Forward) -> Json:
        if "Receipt" in request["method"]:
            return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": 1, "message": "old"}}
        return forward(request)

    rpc_proxy.behave = forgetful
    with Chain.connect(rpc_proxy.url) as lying:
        with pytest.raises(ChainError, match=r"eth_getTransactionReceipt: .* old"):
            verify(replayed, lying, 3)
        assert verify(replayed, lying, 3, live_blocks=0).agree
        assert verify(replayed, lying, 2).agree
