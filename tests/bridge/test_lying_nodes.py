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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from bridge.chain import Chain
from bridge.codec import TRANSFER, encode_call
from bridge.compare import MismatchKind
from bridge.deploy import deploy
from bridge.errors import BridgeError, ChainError, ContradictionError, ReorganisedError
from bridge.jsonrpc import to_hex
from bridge.replay import replay
from bridge.token_layout import balance_slot
from bridge.verify import VerifyReport, verify
from ledger import Hash32, Ledger
from tests.bridge.histories import altered_copy
from tests.bridge.test_replay import token_of
from tests.support.rpc_proxy import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from tests.support.rpc_proxy import Forward, RpcProxy

Json: TypeAlias = Any

UNSTATED: Final = (
    r"(alter|drop) (7|8|11)(\..*)?|alter (9|10)\.topics\.2|(exchange|slip in after) \d+"
)
"""Lies about logs after `finalize` that are about no account of the ledger: 7 and 8 are events of
the operator's, 9 and 10 pay somebody who has no account, 11 is between two of those."""


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
    Lie("no result", lambda request, _, __: {"jsonrpc": "2.0", "id": request["id"]}),
    *results("other type", None, 7, "", "zz", [], {}, [{}]),
)


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


def altered_texts(result: Json) -> Iterator[Lie]:
    """Yield lies that change one digit of one text: the last, and one in the middle."""
    for path in ways(result):
        name = ".".join(map(str, path))
        text = result
        for key in path:
            text = text[key]
        if len(text) > 2:
            yield from results(f"alter {name}", changed(result, path, flipped))
        if len(text) > 66:
            middle = len(text) // 2
            yield from results(
                f"alter {name} inside",
                changed(result, path, lambda it, m=middle: flipped(it, m)),  # type: ignore[misc]  # binds it now
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
    yield from altered_texts(result)
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
        self, level: int, at: int = -1, lie: Lie | None = None, block: str = "latest"
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
                return verify(self._ledger, chain, level, block=block)
        except ChainError as error:
            return error

    def tell_all(
        self, level: int, wanted: Callable[[str, Lie], bool] = lambda _, __: True
    ) -> tuple[VerifyReport, list[Told]]:
        """Return the honest report, and what came of every lie in every place."""
        honest = self.verify(level)
        assert isinstance(honest, VerifyReport)
        assert honest.agree
        told: list[Told] = []
        for at, (request, answer) in enumerate(list(self._record)):
            call = name_of(request)
            lies = (*ANYTHING, *LIES[request["method"]](answer["result"]))
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


@pytest.fixture
def replayed(sqlite_url: str, chain: Chain, signer: Signer) -> Iterator[Ledger]:
    """Return a ledger whose entries are on the chain in two batches, and a block after."""
    with Ledger.create(sqlite_url) as ledger:
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
        chain.request("evm_mine")
        yield ledger


NAMES: Final = {
    "eth_chainId": r"chain|a number",
    "eth_getBlockByNumber": r"block|eth_getBlockByNumber",
    "eth_getBlockByHash": r"block|header|eth_getBlockByHash",
    "eth_getCode": r"code|contract|logs|data|eth_getCode",
    "eth_call": r"contract|batch|balances|data|eth_call|entry",
    "eth_getLogs": r"log|batch|history",
    "eth_getProof": r"the proof that .* is none: |eth_getProof",
}
"""What the error must speak of, by the request whose answer was a lie."""

NO_ANSWER: Final = {"hang up", "no result"}
"""These name the node."""

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
    # Some nodes say when a log's block was made.
    (r"eth_getLogs", r"alter \d+\.blockTimestamp"),
    # Levels 1 and 2 say nothing of who the operator is, level 1 nothing of the supply. A token that
    # is called live, and of which nothing moved since, has the same logs.
    (r"eth_call operator", r".*"),
    (r"eth_call totalSupply", r".*"),
    (r"eth_call live", r"more 0|other type \d|flip 0|a word more"),
    # Decoded the same: what comes after the answer is nothing.
    (r"eth_call \w+", r"a word more"),
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
    assert len(told) > 500
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

    def wanted(call: str, lie: Lie) -> bool:
        if call == "eth_getLogs":  # the same in both, and at level 3 all of them
            return level == 2 and bool(logs.fullmatch(lie.name))
        if lie.name.startswith("other type") and lie.name[-1] in "12456":
            return False
        return call.startswith("eth_call") or call == "eth_getCode"

    honest, told = Liar(rpc_proxy, replayed).tell_all(level, wanted)
    assert len(told) > 100
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
    replayed: Ledger, chain: Chain, sqlite_url: str, tmp_path: Path
) -> None:
    """The balance is another in the database and in the node's state, and no entry says why."""
    true = chain.block()
    token = token_of(replayed, chain, replayed.asset()).address
    slot = balance_slot(replayed.account("bob").address)
    chain.request("anvil_setStorageAt", str(token), str(slot), f"0x{500:064x}")
    word = f"{500:064x}"
    change = f"UPDATE token_balances SET balance = x'{word}' WHERE account_id = 'bob'"  # noqa: S608 (a number)
    with Ledger.open(altered_copy(sqlite_url, change, tmp_path)) as altered:
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


# --- after finalize ---


def test_lies_about_transfers_of_a_live_token(
    replayed: Ledger, rpc_proxy: RpcProxy, chain: Chain, signer: Signer
) -> None:
    """Their logs are proven by nothing; the balances are, and do not follow from false logs."""
    token = token_of(replayed, chain, replayed.asset())
    data = encode_call("finalize(bytes32,uint64)", token.history, token.last_seq)
    chain.send_and_wait(chain.transact(signer, token.address, data, gas=200_000), "finalizing")
    alice = str(replayed.account("alice").address)
    chain.request("anvil_impersonateAccount", alice)
    chain.request("anvil_setBalance", alice, hex(10**18))
    for amount in (5, 6):
        move = encode_call("transfer(address,uint256)", signer.address, amount)
        call = {"from": alice, "to": str(token.address), "data": to_hex(move)}
        chain.wait(Hash32.parse(chain.request("eth_sendTransaction", call)))
    chain.request("anvil_stopImpersonatingAccount", alice)
    move = encode_call("transfer(address,uint256)", b"\x77" * 20, 4)
    chain.send_and_wait(chain.transact(signer, token.address, move, gas=100_000), "moving on")
    chain.request("evm_mine")
    liar = Liar(rpc_proxy, replayed)
    lies = re.compile(r"(drop|double|exchange|alter|slip in after) \d+(|\.data|\.topics.*)|none")
    honest, told = liar.tell_all(
        3, lambda call, lie: call == "eth_getLogs" and bool(lies.fullmatch(lie.name))
    )
    assert honest.assets[0].live_transfers == 3
    kinds = set()
    for it in told:
        if isinstance(it.said, ChainError):
            continue
        if it.said.agree:
            # Nothing of the ledger's: other events, other people's transfers.
            assert replace(it.said, assets=()) == replace(honest, assets=()), it.lie
            assert re.fullmatch(UNSTATED, it.lie), it.lie
        kinds |= {mismatch.kind for mismatch in it.said.mismatches}
    assert kinds == {MismatchKind.BALANCE_DIFFERS}
