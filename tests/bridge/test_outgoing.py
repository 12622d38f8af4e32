"""What is sent without a ledger: claims and accounts, each stored first, each done once."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.authorisations import ClaimAuthorisation, write_authorisation
from bridge.batches import Limits
from bridge.calls import ask
from bridge.chain import Chain
from bridge.claims import send_claim
from bridge.codec import encode_call
from bridge.deploy import deploy
from bridge.errors import AuthorisationError, ChainError, RevertedError, TransactionError
from bridge.live import finalize
from bridge.live_accounts import deploy_account, execute, prepare_account, read_owner
from bridge.live_operators import accept_operator, transfer_operator
from bridge.outbox import Outbox
from bridge.outbox_file import OutboxFile
from bridge.plan_rules import PLANNED
from bridge.replay import replay
from bridge.sending import Sender
from ledger import BusyError, FieldError, Ledger, LedgerError
from ledger.model import Address
from tests.bridge import wallet
from tests.bridge.histories import fund, seal_all
from tests.bridge.killed import STEPS
from tests.bridge.lives import (
    REGISTRAR,
    WALLET,
    balance,
    claim_of,
    go_live,
    holders,
    later,
    signed,
    token_of,
)
from tests.bridge.outcomes import BRIEF, HASTY, QUICK, check_outbox
from tests.bridge.test_proxy import BARE
from tests.bridge.test_sending import unmined
from tests.bridge.test_survives import SEND, Once, drops_request, error, waited
from tests.support.rpc_proxy import RpcProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.authorisations import Authorisation, DeployAuthorisation
    from bridge.keys import Signer
    from bridge.outbox import Attempt
    from tests.bridge.killed import Executioner
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json

ROOT = Path(__file__).parents[2]


@pytest.fixture
def book(sqlite_url: str) -> Iterator[Ledger]:
    """Return a sealed ledger whose registrar is a key of its own."""
    with holders(sqlite_url) as ledger:
        yield ledger


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[OutboxFile]:
    """Return the outbox of somebody who has no ledger."""
    with OutboxFile.open(tmp_path / "outbox.db") as store:
        yield store


def account_of(
    ledger: Ledger, chain: Chain, account_id: str, owner: Address
) -> DeployAuthorisation:
    """Return the deployment of an account's contract, signed."""
    made = prepare_account(
        ledger, account_id, owner, chain_id=chain.chain_id, deadline=later(chain)
    )
    found: DeployAuthorisation = signed(made)
    return found


def attempts(store: OutboxFile, chain: Chain) -> list[Attempt]:
    return Outbox(store, chain.chain_id).attempts()


def claims_of(chain: Chain, token: Address, account: Address) -> int:
    """Return how often an account was claimed from."""
    asked = "claimNonces(address)"
    return int(ask(chain, token, asked, account, answer="uint256", at=chain.block()))


# --- stored first ---


class Watch:
    """Tells of each transaction whether it was on the disk when it was broadcast."""

    def __init__(self, *files: Path) -> None:
        self._files = files
        self.found: list[str | None] = []

    def __call__(self, request: Json, forward: Forward) -> Json:
        if request["method"] == SEND:
            self.found.append(self._purpose(bytes.fromhex(request["params"][0][2:])))
        return forward(request)

    def _purpose(self, raw: bytes) -> str | None:
        """Return for what it was stored, with nonce and fees, as another program sees it."""
        for file in self._files:
            with closing(sqlite3.connect(file)) as there:
                row = there.execute(
                    "SELECT purpose, nonce, max_fee, status FROM token_submissions WHERE raw = ?",
                    [raw],
                ).fetchone()
                if row is not None and None not in row:
                    return str(row[0])
        return None


@pytest.mark.parametrize("kind", ["anvil", "hardhat"])
def test_nothing_is_broadcast_that_is_not_stored(
    *,
    request: pytest.FixtureRequest,
    book: Ledger,
    outbox: OutboxFile,
    start_anvil: StartNode,
    signer: Signer,
    owner: Signer,
    tmp_path: Path,
    kind: str,
) -> None:
    """Every kind of transaction that there is, on a chain that lacks even the deployment proxy."""
    node: Node = start_anvil(BARE) if kind == "anvil" else request.getfixturevalue("hardhat")
    watch = Watch(tmp_path / "ledger.db", tmp_path / "outbox.db")
    with closing(RpcProxy(node, watch)) as proxy, Chain.connect(proxy.url) as chain:
        fund(chain, owner)
        deploy(book, chain, signer)
        replay(book, chain, signer)
        transfer_operator(book, chain, signer, owner.address)
        accept_operator(book, chain, owner)
        finalize(book, chain, owner)
        send_claim(outbox, chain, signer, signed(claim_of(book, chain, "alice", WALLET.address)))
        account = account_of(book, chain, "bob", owner.address)
        deploy_account(outbox, chain, signer, account)
        move = encode_call("transfer(address,uint256)", WALLET.address, 5)
        execute(
            outbox, chain, owner, account.account, key="1", target=token_of(book, chain), data=move
        )
    assert watch.found == [
        "fund", "proxy", "deploy", "deploy", "replay", "operator", "operator", "finalize", "claim",
        "account", "execute:1",
    ]  # fmt: skip


def test_nothing_but_a_flight_broadcasts() -> None:
    """What flies was stored: `Hand.sign` and `Sender.bring` are the only ways to an `Attempt`."""
    sends = re.compile(r"\bchain\.send\(|eth_sendRawTransaction|eth_sendTransaction")
    found = {
        path.name
        for path in (ROOT / "bridge").rglob("*.py")
        if sends.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"chain.py", "flight.py"}


# --- the process ends ---


def test_killed_between_two_steps(
    *,
    sqlite_url: str,
    any_chain: Chain,
    signer: Signer,
    executioner: Executioner,
    tmp_path: Path,
) -> None:
    """Claims and accounts, each its own, one outbox: a second run ends what the first began."""
    chain, outbox = any_chain, tmp_path / "sender" / "outbox.db"
    with Ledger.create(sqlite_url, registrar=REGISTRAR.address) as book:
        book.create_asset("SCI", "SCI token", 6)
        names = [f"{kind} {step}" for kind in ("claim", "account") for step in STEPS]
        for name in names:
            book.create_account(name, 10)
        seal_all(book)
        token = go_live(book, chain, signer)
        for number, name in enumerate(names):
            kind, step = name.split()
            made: Authorisation = (
                signed(claim_of(book, chain, name, WALLET.address))
                if kind == "claim"
                else account_of(book, chain, name, WALLET.address)
            )
            file = tmp_path / f"{number}.json"
            write_authorisation(made, file)
            nonce = chain.next_nonce(signer.address)
            ended = executioner.run(
                str(outbox), chain.name, step, 1, what="authorised", file=str(file)
            )
            assert ended == -signal.SIGKILL, name
            with OutboxFile.open(outbox) as store:
                for _ in range(2):  # what is done is told once more, and nothing is sent
                    _send_again(store, chain, signer, made)
                    assert chain.next_nonce(signer.address) == nonce + 1, name
                check_outbox(store, chain, signer)
            if kind == "claim":
                assert claims_of(chain, token, made.account) == 1
            else:
                assert read_owner(chain, made.account) == WALLET.address
        assert balance(chain, token, WALLET.address) == 10 * len(STEPS)


def _send_again(store: OutboxFile, chain: Chain, signer: Signer, made: Any) -> None:  # noqa: ANN401 (of either kind)
    """Send what was allowed; it may be done already."""
    if isinstance(made, ClaimAuthorisation):
        assert send_claim(store, chain, signer, made, patience=QUICK).amount == 10
    else:
        deploy_account(store, chain, signer, made, patience=QUICK)


def test_killed_while_nothing_is_mined(
    book: Ledger, any_chain: Chain, signer: Signer, executioner: Executioner, tmp_path: Path
) -> None:
    token = go_live(book, any_chain, signer)
    claim = signed(claim_of(book, any_chain, "alice", WALLET.address))
    file, store = tmp_path / "claim.json", tmp_path / "outbox.db"
    write_authorisation(claim, file)
    with unmined(any_chain):
        ended = executioner.run(
            str(store), any_chain.name, "noted", 1, what="authorised", file=str(file)
        )
        assert ended == -signal.SIGKILL
    with OutboxFile.open(store) as outbox:
        report = send_claim(outbox, any_chain, signer, claim, patience=QUICK)
        assert [it.signed.hash for it in attempts(outbox, any_chain)] == [report.transaction]
    assert (report.was_claimed, claims_of(any_chain, token, claim.account)) == (True, 1)


def test_another_key_finds_what_the_first_one_did(
    *, book: Ledger, any_chain: Chain, signer: Signer, owner: Signer, executioner: Executioner,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Killed before it was noted, and run again with a key from another keystore."""
    go_live(book, any_chain, signer)
    fund(any_chain, owner)
    claim = signed(claim_of(book, any_chain, "alice", WALLET.address))
    file, store = tmp_path / "claim.json", tmp_path / "outbox.db"
    write_authorisation(claim, file)
    ended = executioner.run(
        str(store), any_chain.name, "mined", 1, what="authorised", file=str(file)
    )
    assert ended == -signal.SIGKILL
    with OutboxFile.open(store) as outbox:
        assert send_claim(outbox, any_chain, owner, claim, patience=QUICK).was_claimed
    assert any_chain.next_nonce(owner.address) == 0


def an_account(book: Ledger, store: OutboxFile, chain: Chain, signer: Signer) -> Address:
    """Put the account of alice, who has 800, on the chain, for `signer`."""
    made = account_of(book, chain, "alice", signer.address)
    return deploy_account(store, chain, signer, made).account


def paying(amount: int) -> bytes:
    return encode_call("transfer(address,uint256)", WALLET.address, amount)


def test_what_an_account_executes_is_finished_and_not_done_twice(
    book: Ledger, outbox: OutboxFile, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    """Nothing in the contract would say no to a second time; only the key tells it from another."""
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        token = go_live(book, chain, signer)
        account = an_account(book, outbox, chain, signer)
        had = balance(chain, token, WALLET.address)
        hostile.behave = Once(SEND, drops_request, 1, 99)
        pay = partial(execute, outbox, chain, signer, account, target=token)
        with pytest.raises(ChainError):
            execute(
                outbox, shaky, signer, account, key="rent 1", target=token, data=paying(100),
                patience=BRIEF,
            )  # fmt: skip
        nonce = chain.next_nonce(signer.address)
        receipts = [pay(key="rent 1", data=paying(100)) for _ in range(2)]
        assert receipts[0] == receipts[1]
        assert chain.next_nonce(signer.address) == nonce + 1
        assert balance(chain, token, WALLET.address) == had + 100
        pay(key="rent 2", data=paying(100))
        assert balance(chain, token, WALLET.address) == had + 200
        with pytest.raises(FieldError, match="key: was used for another call of account"):
            pay(key="rent 2", data=paying(101))
        for key in ("", "two\nlines", "ä", "k" * 101):
            with pytest.raises(FieldError, match="printable ASCII"):
                pay(key=key, data=paying(1))


class Lagging:
    """Shows nothing of the first transaction that it takes, which is mined all the same."""

    def __init__(self) -> None:
        self.hidden: str | None = None

    def __call__(self, request: Json, forward: Forward) -> Json:
        answer = forward(request)
        if request["method"] == SEND and self.hidden is None:
            self.hidden = answer["result"]
        elif self.hidden is not None and self.hidden in request["params"]:
            return {**answer, "result": None}
        return answer


def test_what_an_account_executes_is_not_signed_anew_for_a_node_that_lags(
    book: Ledger, outbox: OutboxFile, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    """It is mined, its nonce is used, and for longer than is waited for the node shows nothing."""
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as lagging:
        token = go_live(book, chain, signer)
        account = an_account(book, outbox, chain, signer)
        had, nonce = balance(chain, token, WALLET.address), chain.next_nonce(signer.address)
        hostile.behave = Lagging()
        for _ in range(2):
            with pytest.raises(
                TransactionError, match=r"in no block\. It may be mined all the same"
            ):
                execute(
                    outbox, lagging, signer, account, key="1", target=token, data=paying(100),
                    patience=QUICK,
                )  # fmt: skip
        receipt = execute(outbox, chain, signer, account, key="1", target=token, data=paying(100))
        assert receipt.hash == attempts(outbox, chain)[-1].signed.hash
        assert chain.next_nonce(signer.address) == nonce + 1
        assert balance(chain, token, WALLET.address) == had + 100
        check_outbox(outbox, chain, signer)


def test_what_an_account_executes_is_done_once_whenever_the_process_ends(
    book: Ledger, any_chain: Chain, signer: Signer, executioner: Executioner, tmp_path: Path
) -> None:
    token, file = go_live(book, any_chain, signer), tmp_path / "outbox.db"
    with OutboxFile.open(file) as outbox:
        account = an_account(book, outbox, any_chain, signer)
        for step in STEPS:
            had = balance(any_chain, token, WALLET.address)
            words = f"{account} {token} {paying(10).hex()} {step}"
            ended = executioner.run(str(file), any_chain.name, step, 1, what="execute", file=words)
            assert ended == -signal.SIGKILL, step
            for _ in range(2):
                execute(outbox, any_chain, signer, account, key=step, target=token, data=paying(10))
                assert balance(any_chain, token, WALLET.address) == had + 10, step
        check_outbox(outbox, any_chain, signer)


def test_what_an_account_could_not_execute_at_first_is_executed_later(
    *, book: Ledger, outbox: OutboxFile, chain: Chain, signer: Signer, executioner: Executioner,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Stored, not sent, refused meanwhile, and possible again: still once, at its own nonce."""
    token = go_live(book, chain, signer)
    account = an_account(book, outbox, chain, signer)
    words = f"{account} {token} {paying(800).hex()} all"
    file = str(tmp_path / "outbox.db")
    assert executioner.run(file, chain.name, "stored", 1, what="execute", file=words) < 0
    pay = partial(execute, outbox, chain, signer, account, key="all", target=token)
    code = chain.code(token, chain.block())
    chain.set_code(token, b"\xfe")  # refuses everything
    with pytest.raises(RevertedError):
        pay(data=paying(800))
    assert attempts(outbox, chain)[-1].status == "dropped"
    chain.set_code(token, code)
    assert pay(data=paying(800)).hash == attempts(outbox, chain)[-1].signed.hash
    assert balance(chain, token, account) == 0


def test_a_test_chain_that_began_anew_gets_nothing_old(
    book: Ledger, start_anvil: StartNode, signer: Signer, executioner: Executioner, tmp_path: Path
) -> None:
    """A claim that was stored for a token which is not there is not sent into the void."""
    file, store = tmp_path / "claim.json", tmp_path / "outbox.db"
    with Chain.connect(start_anvil().url) as chain:
        go_live(book, chain, signer)
        write_authorisation(signed(claim_of(book, chain, "alice", WALLET.address)), file)
        ended = executioner.run(
            str(store), chain.name, "stored", 1, what="authorised", file=str(file)
        )
        assert ended == -signal.SIGKILL
        nonce = chain.next_nonce(signer.address)
    with Chain.connect(start_anvil().url) as chain, OutboxFile.open(store) as outbox:
        chain.request("anvil_setNonce", str(signer.address), hex(nonce))
        with Sender(outbox, chain, signer, patience=QUICK) as sender:
            sender.settle()
        assert [it.status for it in attempts(outbox, chain)] == ["dropped"]
        assert chain.next_nonce(signer.address) == nonce


# --- stuck, and others ---


def test_a_stuck_claim_is_replaced_with_an_eighth_more(
    book: Ledger, outbox: OutboxFile, chain: Chain, signer: Signer
) -> None:
    go_live(book, chain, signer)
    claim = signed(claim_of(book, chain, "alice", WALLET.address))
    with ThreadPoolExecutor(1) as pool:
        with unmined(chain):
            going = pool.submit(send_claim, outbox, chain, signer, claim, patience=HASTY)
            waited(lambda: len(attempts(outbox, chain)) > 2)
        assert going.result().amount == 800
    made = attempts(outbox, chain)
    assert len({it.nonce for it in made}) == 1
    for old, new in pairwise(made):
        assert new.replaces == old.id
        assert old.fees is not None
        assert new.fees is not None
        assert Fraction(new.fees.max_fee, old.fees.max_fee) >= Fraction(9, 8)
    check_outbox(outbox, chain, signer)


def test_a_nonce_used_elsewhere_while_the_send_is_lost(
    book: Ledger, outbox: OutboxFile, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        token = go_live(book, chain, signer)
        claim = signed(claim_of(book, chain, "alice", WALLET.address))

        def takes_the_nonce(request: Json, forward: Forward) -> Json:
            del forward
            pay = wallet.transact(chain, signer, Address(b"\x42" * 20), gas=21_000)
            wallet.send_and_wait(chain, pay, "using the nonce by hand")
            return error(request, "the connection was lost")

        hostile.behave = Once(SEND, takes_the_nonce, 1, 1)
        assert send_claim(outbox, shaky, signer, claim, patience=QUICK).amount == 800
        assert attempts(outbox, chain)[0].status == "dropped"
        assert claims_of(chain, token, claim.account) == 1
        check_outbox(outbox, chain, signer)


@pytest.mark.parametrize("kind", ["claim", "account"])
def test_somebody_else_was_faster(
    *,
    book: Ledger,
    outbox: OutboxFile,
    hostile: RpcProxy,
    node: Node,
    signer: Signer,
    owner: Signer,
    kind: str,
) -> None:
    """Two people send the same file at once: it is done once, and the slower one is told why."""
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        token = go_live(book, chain, signer)
        fund(chain, owner)
        made: Any = signed(claim_of(book, chain, "alice", WALLET.address))
        if kind == "account":
            made = account_of(book, chain, "alice", WALLET.address)
        send: Any = send_claim if kind == "claim" else deploy_account

        def is_late(request: Json, forward: Forward) -> Json:
            send(book, chain, owner, made)  # another store, another key
            return forward(request)

        hostile.behave = Once(SEND, is_late, 1, 1)
        why = "it was claimed from meanwhile" if kind == "claim" else "is deployed: its owner moves"
        with pytest.raises(AuthorisationError, match=why):
            send(outbox, shaky, signer, made, patience=QUICK)
        assert claims_of(chain, token, made.account) == (kind == "claim")
        assert [it.status for it in attempts(outbox, chain)] == ["failed"]
        check_outbox(outbox, chain, signer)


def test_one_sender_at_a_time_for_one_outbox(
    book: Ledger, outbox: OutboxFile, chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    go_live(book, chain, signer)
    claim = signed(claim_of(book, chain, "alice", WALLET.address))
    with (
        OutboxFile.open(tmp_path / "outbox.db") as same,
        Sender(same, chain, signer),
        pytest.raises(BusyError, match=f"sends with the key of {signer.address} to chain 31337"),
    ):
        send_claim(outbox, chain, signer, claim)
    assert attempts(outbox, chain) == []


def test_what_a_contract_refuses_is_not_stored(
    book: Ledger, outbox: OutboxFile, chain: Chain, signer: Signer
) -> None:
    go_live(book, chain, signer)
    claim = signed(claim_of(book, chain, "alice", WALLET.address))
    chain.request("anvil_setCode", str(REGISTRAR.address), "0x60006000fd")  # it answers for none
    with pytest.raises(RevertedError, match="InvalidSignature"):
        send_claim(outbox, chain, signer, replace(claim, signature=b"\x01"))
    assert attempts(outbox, chain) == []


def test_too_much_gas_is_refused_with_options_that_there_are(
    book: Ledger, outbox: OutboxFile, chain: Chain, signer: Signer
) -> None:
    """Most commands have none: only what names its limits is told of them."""
    needs = r"needs [\d]+ gas, and by the given limits .* no more than "
    with (
        Sender(outbox, chain, signer, gas_cap=20_000) as sender,
        pytest.raises(TransactionError, match=needs + r"20000 on this chain: it was not sent$"),
    ):
        sender.send("pay", WALLET.address, value=1)
    with pytest.raises(TransactionError, match=needs + "300000 .* by EIP-8037, say --rules plan"):
        deploy(book, chain, signer, limits=Limits(gas=300_000))
    with pytest.raises(TransactionError, match=needs + r"1000000 on this chain: it was not sent$"):
        deploy(book, chain, signer, limits=Limits(block_gas=1_000_000, rules=PLANNED))
    assert attempts(outbox, chain) == []


# --- the file ---


def columns(database: Path) -> list[tuple[str, str, int]]:
    """Return name, type and NOT NULL of each column."""
    with closing(sqlite3.connect(database)) as there:
        rows = there.execute("PRAGMA table_info(token_submissions)").fetchall()
    return [(name, kind, not_null) for _, name, kind, not_null, *_ in rows]


def test_its_table_is_that_of_a_ledger(book: Ledger, outbox: OutboxFile, tmp_path: Path) -> None:
    assert columns(tmp_path / "outbox.db") == columns(tmp_path / "ledger.db")
    assert book.head("SCI").seq
    with outbox.connection() as connection:
        asked = ("synchronous", "journal_mode")
        found = [connection.exec_driver_sql(f"PRAGMA {it}").scalar_one() for it in asked]
    assert found == [3, "delete"]  # EXTRA: on the disk when it is committed


@pytest.mark.parametrize("name", ["with space.db", "50%?#ü.db", "a/b/c.db"])
def test_it_is_made_where_it_is_wanted(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    for _ in range(2):
        with OutboxFile.open(file) as store, store.connection() as connection:
            rows = connection.exec_driver_sql("SELECT count(*) FROM token_submissions")
            assert rows.scalar_one() == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("kind", ["ledger", "text", "folder", "version", "below a file"])
def test_nothing_else_is_taken_for_one(book: Ledger, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "there"
    if kind == "ledger":
        file = tmp_path / "ledger.db"
    elif kind == "text":
        file.write_text(json.dumps({"kind": "claim"}), encoding="utf-8")
    elif kind == "folder":
        file.mkdir()
    elif kind == "version":
        OutboxFile.open(file).close()
        with closing(sqlite3.connect(file)) as there:
            there.execute("PRAGMA user_version = 2")
    else:
        file.touch()
        file /= "outbox.db"
    before = file.read_bytes() if file.is_file() else b""
    says = (
        r"no outbox: name another|no SQLite database; name another|another version|cannot be made"
    )
    with pytest.raises(LedgerError, match=says):
        OutboxFile.open(file)
    assert before == (file.read_bytes() if file.is_file() else b"")
    assert book.head("SCI").seq
