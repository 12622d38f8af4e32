"""State by proof: on real nodes it is what calls return, and no altered answer passes for one."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import rlp  # type: ignore[import-untyped]  # it has no types

from bridge.account_proofs import check_account
from bridge.chain import Block, Chain
from bridge.compare import MismatchKind
from bridge.deploy import deploy
from bridge.errors import ContradictionError, ForeignContractError, NoContractError
from bridge.headers import parse_header
from bridge.keys import TEST_ADDRESS
from bridge.proven import ProvenState, read_header
from bridge.replay import replay
from bridge.token_layout import balance_slot, state_slots, token_code
from bridge.tokens import read_balances, read_token
from bridge.verify import verify
from ledger import Ledger
from ledger.hashing import keccak
from ledger.model import ZERO_HASH, Address, Hash32
from tests.bridge.histories import small_ledger
from tests.bridge.test_deferred import NAMES, Stopped, new_ledger, stop_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.keys import Signer
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json, RpcProxy

NOBODY = Address(b"\x77" * 20)


@pytest.fixture
def replayed(book: Ledger, chain: Chain, signer: Signer) -> Ledger:
    """Return a small ledger whose entries are all on the chain."""
    deploy(book, chain, signer)
    replay(book, chain, signer)
    return book


# --- real nodes ---


def test_proven_state_is_what_calls_return(
    sqlite_url: str, any_chain: Chain, signer: Signer
) -> None:
    with small_ledger(sqlite_url) as ledger:
        deploy(ledger, any_chain, signer)
        replay(ledger, any_chain, signer)
        at = any_chain.block()
        state = ProvenState(any_chain, at)
        holders = [*(account.address for account in ledger.accounts()), NOBODY]
        for asset in ledger.assets():
            token = state.token(ledger.identity, asset)
            assert token == read_token(any_chain, ledger.identity, asset, at)
            assert token.batches == 2
            code = token_code(ledger.identity.ledger_id, token.asset)
            assert code == any_chain.code(token.address, at)
            found = list(state.balances(token.address, holders))
            assert found == list(read_balances(any_chain, token.address, holders, at))
            assert found[-1] == 0 < max(found)


LIES: Final[dict[str, Callable[[Any], object]]] = {
    "another balance": lambda found: found["storageProof"][0].update(value="0x7"),
    "no proof of it": lambda found: found["storageProof"][0].update(proof=[]),
    "another account": lambda found: found.update(address=str(NOBODY)),
    "another account's proof": lambda found: found["accountProof"].pop(),
}


def test_a_lie_about_a_balance_is_named(
    book: Ledger, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        deploy(book, chain, signer)
        replay(book, chain, signer)
        token = read_token(chain, book.identity, book.asset("GOLD"), chain.block()).address
        state = ProvenState(shaky, chain.block())
        alice = [book.account("alice").address]
        assert list(state.balances(token, alice)) == [990]
        for lie in LIES.values():

            def lies(request: Json, forward: Forward, lie: Any = lie) -> Json:  # noqa: ANN401 (a table's function)
                answer = forward(request)
                lie(answer["result"])
                return answer

            hostile.behave = lies
            with pytest.raises(ContradictionError, match=f"of {token} in block"):
                list(state.balances(token, alice))


def test_a_balance_that_was_spent_is_proven_to_be_zero(
    sqlite_url: str, any_chain: Chain, signer: Signer
) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 0)
        for name in ("alice", "bob"):
            ledger.create_account(name, 0)
        deploy(ledger, any_chain, signer)
        ledger.mint("alice", 5)
        ledger.seal()
        replay(ledger, any_chain, signer)
        ledger.transfer("alice", "bob", 5)
        ledger.seal()
        replay(ledger, any_chain, signer)
        state = ProvenState(any_chain, any_chain.block())
        token = state.token(ledger.identity, ledger.asset()).address
        holders = [ledger.account(name).address for name in ("alice", "bob")]
        assert list(state.balances(token, holders)) == [0, 5]


def test_a_deferral_is_proven(sqlite_url: str, chain: Chain, signer: Signer) -> None:
    """Balances are to come, and the token says so in a slot of its own."""
    with new_ledger(sqlite_url) as ledger:
        deploy(ledger, chain, signer)
        with pytest.raises(Stopped):
            replay(ledger, chain, signer, progress=stop_at(3))
        at = chain.block()
        token = ProvenState(chain, at).token(ledger.identity, ledger.asset())
        assert token == read_token(chain, ledger.identity, ledger.asset(), at)
        assert token.deferring
        assert MismatchKind.NOT_SETTLED in {it.kind for it in verify(ledger, chain, 3).mismatches}
        replay(ledger, chain, signer)
        assert not ProvenState(chain, chain.block()).token(ledger.identity, token.asset).deferring
        report = verify(ledger, chain, 3)
        assert (report.agree, report.assets[0].balances) == (True, len(NAMES))


def test_a_thousand_balances_a_request(
    replayed: Ledger, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = chain.block()
    state = ProvenState(chain, at)
    token = state.token(replayed.identity, replayed.asset("GOLD")).address
    asked: list[int] = []
    request = chain.request

    def counted(method: str, *parameters: Any) -> object:  # noqa: ANN401 (JSON is anything)
        assert method == "eth_getProof"
        asked.append(len(parameters[1]))
        return request(method, *parameters)

    monkeypatch.setattr(chain, "request", counted)
    holders = [Address(n.to_bytes(20, "big")) for n in range(2_499)]
    holders.append(replayed.account("böb").address)
    assert list(state.balances(token, holders)) == [0] * 2_499 + [2]
    assert asked == [1_000, 1_000, 500]


def test_that_nothing_is_deployed_is_proven(book: Ledger, chain: Chain) -> None:
    chain.request("evm_mine")
    with pytest.raises(NoContractError, match="chain deploy"):
        ProvenState(chain, chain.block()).token(book.identity, book.asset("GOLD"))


def test_other_code_is_proven(replayed: Ledger, chain: Chain) -> None:
    token = read_token(chain, replayed.identity, replayed.asset("SCI"), chain.block())
    chain.request("anvil_setCode", str(token.address), "0x6001")
    chain.request("evm_mine")
    with pytest.raises(ForeignContractError, match="code at"):
        ProvenState(chain, chain.block()).token(replayed.identity, replayed.asset("SCI"))


# --- headers ---

FORKS = {"london": 16, "paris": 16, "shanghai": 17, "cancun": 20, "prague": 21, "osaka": 21}
GENESIS = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
}
"""Mainnet's block 0."""


def test_mainnets_first_header_makes_its_hash() -> None:
    header = parse_header(GENESIS)
    assert str(header.hash) == "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    assert (header.number, str(header.state_root)) == (0, GENESIS["stateRoot"])


@pytest.mark.parametrize("fork", FORKS)
def test_headers_of_every_fork_make_their_hash(start_anvil: StartNode, fork: str) -> None:
    node = start_anvil("--hardfork", fork)
    node.rpc("evm_mine")
    found = node.rpc("eth_getBlockByNumber", "0x1", False)  # noqa: FBT003 (JSON-RPC is positional)
    assert str(parse_header(found).hash) == found["hash"]
    with Chain.connect(node.url) as chain:
        assert read_header(chain, chain.block()).hash == chain.block().hash


def test_later_fields_are_hashed_in_their_order() -> None:
    """No node has Amsterdam's yet: EIP-7928 and EIP-7843 say what comes, another library hashes."""
    later: dict[str, int | bytes] = {
        "baseFeePerGas": 7,
        "withdrawalsRoot": b"\x01" * 32,
        "blobGasUsed": 0,
        "excessBlobGas": 2**64,
        "parentBeaconBlockRoot": b"\x02" * 32,
        "requestsHash": b"\x03" * 32,
        "blockAccessListHash": b"\x04" * 32,
        "slotNumber": 99,
    }
    numbers = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp"}
    items: list[bytes | int] = [
        int(value, 16) if name in numbers else bytes.fromhex(value[2:])
        for name, value in GENESIS.items()
    ]
    block = dict(GENESIS)
    for name, value in later.items():
        items.append(value)
        block[name] = hex(value) if isinstance(value, int) else "0x" + value.hex()
        assert parse_header(block).hash == keccak(rlp.encode(items))


@pytest.mark.parametrize("field", GENESIS)
def test_every_field_of_a_header_is_in_its_hash(field: str) -> None:
    true = parse_header(GENESIS).hash
    assert parse_header(GENESIS | {field: GENESIS[field][:-1] + "9"}).hash != true
    with pytest.raises((KeyError, ValueError)):
        parse_header({name: value for name, value in GENESIS.items() if name != field})
    if field not in {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"}:
        with pytest.raises(ValueError, match="bytes, must be"):
            parse_header(GENESIS | {field: GENESIS[field] + "00"})


# --- answers ---


@pytest.fixture
def asked(replayed: Ledger, chain: Chain) -> tuple[Hash32, Address, list[Hash32], dict[str, Any]]:
    """Return an honest answer: state root, token, slots (one is empty) and what the node says."""
    at = chain.block()
    token = read_token(chain, replayed.identity, replayed.asset("GOLD"), at).address
    slots = [
        state_slots("LedgerToken/1").history,
        balance_slot(replayed.account("alice").address),
        balance_slot(NOBODY),
    ]
    return read_header(chain, at).state_root, token, slots, chain.proof(token, slots, at)


Asked = tuple[Hash32, Address, list[Hash32], dict[str, Any]]


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (JSON is anything)
    """Yield the way to each text in an answer."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _texts(value[key], (*path, key))


def _with(answer: Any, path: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401 (JSON is anything)
    """Return a copy of an answer with another value at one place."""
    changed = copy.deepcopy(answer)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def test_an_honest_answer_is_true(asked: Asked) -> None:
    root, token, slots, answer = asked
    account = check_account(root, token, slots, answer)
    assert account.exists
    assert account.has_code
    assert (account.nonce, account.balance, account.slots[1:]) == (1, 0, (990, 0))


def test_every_digit_of_an_answer_counts(asked: Asked) -> None:
    root, token, slots, answer = asked
    tried = 0
    for path in _texts(answer):
        text = str(_at(answer, path))
        for position in range(2, len(text), 7):
            other = "1" if text[position] == "0" else "0"
            changed = text[:position] + other + text[position + 1 :]
            with pytest.raises(ValueError, match=r".") as refused:
                check_account(root, token, slots, _with(answer, path, changed))
            assert str(refused.value), path
            tried += 1
    assert tried > 500


def _at(answer: Any, path: tuple[Any, ...]) -> object:  # noqa: ANN401 (JSON is anything)
    for key in path:
        answer = answer[key]
    return answer


WRONG: list[object] = [None, 7, True, "", "0x", "7", "0xzz", [], {}, ["0x80"], "0x" + "11" * 40]


def test_answers_of_other_types_are_refused(asked: Asked) -> None:
    root, token, slots, answer = asked
    for path in _texts(answer):
        for wrong in WRONG:
            with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
                check_account(root, token, slots, _with(answer, path, wrong))
    for name in answer:
        if name in {"address", "accountProof", "storageProof", "nonce", "balance"}:
            for wrong in WRONG:
                with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
                    check_account(root, token, slots, {**answer, name: wrong})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda proofs: proofs[:-1], "has not 3 storage proofs"),
        (lambda proofs: [*proofs, proofs[0]], "has not 3 storage proofs"),
        (lambda proofs: [proofs[1], proofs[0], proofs[2]], "is of slot"),
        (lambda proofs: [proofs[0], {**proofs[1], "proof": proofs[0]["proof"]}, proofs[2]], "fail"),
        (lambda proofs: [proofs[0], {**proofs[1], "proof": []}, proofs[2]], "fails"),
        (lambda proofs: [proofs[0], {**proofs[1], "value": "0x0"}, proofs[2]], "is said to be 0x0"),
        (lambda proofs: [*proofs[:2], {**proofs[2], "value": "0x1"}], "is said to be 0x1"),
        (lambda proofs: [*proofs[:2], {**proofs[2], "proof": proofs[1]["proof"]}], "fails"),
    ],
)
def test_storage_proofs_are_those_asked_for(asked: Asked, change: Any, says: str) -> None:  # noqa: ANN401 (a table's function)
    root, token, slots, answer = asked
    changed = {**answer, "storageProof": change(answer["storageProof"])}
    with pytest.raises(ValueError, match=says):
        check_account(root, token, slots, changed)


def test_a_root_that_leaves_accounts_out_proves_nothing(start_anvil: StartNode) -> None:
    """Anvil's own first block is like that: its header says that there is nobody."""
    with Chain.connect(start_anvil().url) as chain:
        at = chain.block()
        answer = chain.proof(NOBODY, [], at)
        with pytest.raises(ValueError, match="below the root of an empty trie"):
            check_account(read_header(chain, at).state_root, NOBODY, [], answer)


def test_an_account_that_is_not_there(chain: Chain) -> None:
    chain.request("evm_mine")
    at = chain.block()
    root, answer = read_header(chain, at).state_root, chain.proof(NOBODY, [ZERO_HASH], at)
    account = check_account(root, NOBODY, [ZERO_HASH], answer)
    assert (account.exists, account.has_code, account.slots) == (False, False, (0,))
    for code_hash in (ZERO_HASH, Hash32(b"\1" * 32)):
        with pytest.raises(ValueError, match="codeHash"):
            check_account(root, NOBODY, [ZERO_HASH], {**answer, "codeHash": str(code_hash)})
    with pytest.raises(ValueError, match="is of 0x"):
        check_account(root, Address(b"\x78" * 20), [ZERO_HASH], answer)


def test_whatever_hash_a_node_gives_the_code_of_nobody(chain: Chain, rpc_proxy: RpcProxy) -> None:
    """EIP-1186 does not say; of whoever is there it must be the true one."""
    chain.request("evm_mine")
    at = chain.block()
    root = read_header(chain, at).state_root

    def answers_zero(request: Json, forward: Forward) -> Json:
        answer = forward(request)
        if request["method"] == "eth_getProof":
            answer["result"]["codeHash"] = str(ZERO_HASH)
        return answer

    with Chain.connect(rpc_proxy.url) as other:
        rpc_proxy.behave = answers_zero
        assert other.proof(NOBODY, [], at) == chain.proof(NOBODY, [], at)
        assert not check_account(root, NOBODY, [], other.proof(NOBODY, [], at)).exists
        with pytest.raises(ValueError, match="codeHash"):
            check_account(root, TEST_ADDRESS, [], other.proof(TEST_ADDRESS, [], at))


def test_a_proof_from_another_block_is_refused(replayed: Ledger, chain: Chain) -> None:
    before = chain.block()
    token = read_token(chain, replayed.identity, replayed.asset("GOLD"), before).address
    old = chain.proof(token, [], before)
    chain.request("anvil_setStorageAt", str(token), "0x" + "00" * 32, "0x" + "01" * 32)
    chain.request("evm_mine")
    now = chain.block()
    assert check_account(read_header(chain, before).state_root, token, [], old).has_code
    with pytest.raises(ValueError, match="fails against the state root: node 1 hashes to"):
        check_account(read_header(chain, now).state_root, token, [], old)


def test_a_header_of_another_block_is_refused(anvil: Node, chain: Chain) -> None:
    anvil.rpc("evm_mine")
    at = chain.block()
    state = json.loads(json.dumps(anvil.rpc("eth_getBlockByNumber", "latest", False)))  # noqa: FBT003 (JSON-RPC is positional)
    assert str(at.hash) == state["hash"]
    other = Block(at.number + 1, at.hash, at.timestamp, at.base_fee)
    with pytest.raises(ContradictionError, match="number"):
        read_header(chain, other)
