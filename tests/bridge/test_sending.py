"""One sender, one transaction: stuck, too cheap, raced, and alone with its key."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.errors import (
    FeeCapError,
    FeeTooLowError,
    FundsError,
    GasTooLowError,
    NoAnswerError,
    NonceUsedError,
    TransactionError,
    UnderpricedError,
)
from bridge.fees import GWEI, FeePolicy
from bridge.outbox import Outbox
from bridge.patience import Patience
from bridge.sending import Sender
from bridge.tracking import Confirmed
from ledger import BusyError, Ledger
from ledger.model import Address
from tests.bridge import wallet
from tests.bridge.outcomes import HASTY, QUICK, check_outbox, statuses
from tests.bridge.test_survives import SEND, waited
from tests.support.rpc_proxy import Dropped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from bridge.chain import TransactionReceipt
    from bridge.flight import Landed
    from bridge.keys import SignedTransaction, Signer
    from bridge.outbox import Attempt
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json, RpcProxy

TO = Address(b"\x42" * 20)
SLOW = Patience(replace_after=120.0, give_up_after=120.0, silence=5.0, lag=1.0)
PAY = "pay"


@contextmanager
def unmined(chain: Chain) -> Iterator[None]:
    """Let nothing be mined by itself; afterwards, everything that waits."""
    chain.request("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    try:
        yield
    finally:
        mine(chain)


def mine(chain: Chain) -> None:
    """Mine what waits, and from now on whatever comes."""
    chain.request("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
    chain.request("evm_mine")


@contextmanager
def sending(sender: Sender, value: int = 1) -> Iterator[Future[TransactionReceipt]]:
    """Send a payment while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(pay, sender, value)


def pay(sender: Sender, value: int = 1) -> TransactionReceipt:
    with sender:
        sender.settle()
        return sender.send(PAY, TO, value=value)


def settled(sender: Sender) -> list[Landed]:
    with sender:
        return sender.settle()


def attempts(book: Ledger, chain: Chain) -> list[Attempt]:
    return Outbox(book, chain.chain_id).attempts()


def by_hand(chain: Chain, signer: Signer, **fields: int) -> SignedTransaction:
    """Sign a payment that the ledger knows nothing of."""
    offered = FeePolicy().first(chain.market())
    assert offered is not None
    return signer.sign(
        {
            "chainId": chain.chain_id,
            "nonce": chain.next_nonce(signer.address),
            "to": str(TO),
            "value": 7,
            "gas": 21_000,
            **offered.fields(),
            **fields,
        }
    )


# --- stuck ---


def test_a_stuck_transaction_is_replaced_with_an_eighth_more(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    said: list[str] = []
    sender = Sender(book, any_chain, signer, patience=HASTY, say=said.append)
    with sending(sender) as going:
        with unmined(any_chain):
            waited(lambda: len([it for it in attempts(book, any_chain) if it.status == "sent"]) > 2)
        receipt = going.result()
    made = attempts(book, any_chain)
    assert len({it.nonce for it in made}) == 1
    for old, new in pairwise(made):
        assert new.replaces == old.id
        assert old.fees is not None
        assert new.fees is not None
        assert Fraction(new.fees.max_fee, old.fees.max_fee) >= Fraction(9, 8)
        assert Fraction(new.fees.priority_fee or 0, old.fees.priority_fee or 1) >= Fraction(9, 8)
    assert receipt.hash in {it.signed.hash for it in made}
    assert sorted(set(statuses(book, PAY))) == ["mined", "replaced"]
    assert statuses(book, PAY).count("mined") == 1
    assert any("is not mined yet: offering" in one for one in said)
    check_outbox(book, any_chain, signer)


def test_at_the_cap_it_waits_and_says_so(book: Ledger, any_chain: Chain, signer: Signer) -> None:
    said: list[str] = []
    market = any_chain.market()
    cap = FeePolicy(max_fee=market.price + market.price // 8, priority_fee=market.tip // 2)
    sender = Sender(book, any_chain, signer, fees=cap, patience=HASTY, say=said.append)
    with sending(sender) as going:
        with unmined(any_chain):
            waited(lambda: any("--max-fee" in one for one in said))
        assert going.result().succeeded
    assert all(
        it.fees and it.fees.max_fee <= (cap.max_fee or 0) for it in attempts(book, any_chain)
    )
    check_outbox(book, any_chain, signer)


def test_the_first_attempt_may_be_the_one_that_is_mined(
    book: Ledger, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    """The node answers that it took the replacement, and did not."""
    sends = 0

    def swallows(request: Json, forward: Forward) -> Json:
        nonlocal sends
        if request["method"] == "eth_sendRawTransaction":
            sends += 1
            if sends > 1:
                return {"jsonrpc": "2.0", "id": request["id"], "result": "0x" + "00" * 32}
        return forward(request)

    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:
        hostile.behave = swallows
        with sending(Sender(book, shaky, signer, patience=HASTY)) as going:
            with unmined(chain):
                waited(lambda: sends > 1)
            receipt = going.result()
        first, *others = attempts(book, chain)
        assert receipt.hash == first.signed.hash
        assert statuses(book, PAY) == ["mined"] + ["replaced"] * len(others)
        check_outbox(book, chain, signer)


def test_nothing_mined_in_time_is_found_by_a_later_run(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    brief = Patience(replace_after=9, give_up_after=0.1, silence=9, lag=9)
    with unmined(any_chain), pytest.raises(TransactionError, match="run again later"):
        pay(Sender(book, any_chain, signer, patience=brief))
    assert statuses(book, PAY) == ["sent"]
    with Sender(book, any_chain, signer, patience=QUICK) as sender:
        [landed] = sender.settle()
    assert landed.receipt.succeeded
    assert not landed.is_broadcast
    check_outbox(book, any_chain, signer)


# --- what gas costs ---


def test_gas_above_the_cap_is_waited_for_before_anything_is_signed(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    any_chain.request("hardhat_setNextBlockBaseFeePerGas", hex(500 * GWEI))
    brief = Patience(give_up_after=0.2)
    said: list[str] = []
    sender = Sender(
        book, any_chain, signer, fees=FeePolicy(100 * GWEI), patience=brief, say=said.append
    )
    with pytest.raises(FeeCapError, match=r"501 gwei.*more than 100 gwei \(--max-fee\)"):
        pay(sender)
    assert attempts(book, any_chain) == []
    assert said
    any_chain.request("hardhat_setNextBlockBaseFeePerGas", hex(GWEI))
    assert pay(Sender(book, any_chain, signer, fees=FeePolicy(100 * GWEI))).succeeded


def test_a_base_fee_that_rises_above_what_was_offered(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    sender = Sender(book, any_chain, signer, fees=FeePolicy(1000 * GWEI), patience=HASTY)
    with sending(sender) as going:
        with unmined(any_chain):
            waited(lambda: [it for it in attempts(book, any_chain) if it.status == "sent"])
            any_chain.request("hardhat_setNextBlockBaseFeePerGas", hex(300 * GWEI))
            waited(
                lambda: [
                    it
                    for it in attempts(book, any_chain)
                    if it.status == "sent" and it.fees and it.fees.max_fee > 300 * GWEI
                ]
            )
        receipt = going.result()
    assert receipt.gas_price is not None
    assert receipt.gas_price > 300 * GWEI
    check_outbox(book, any_chain, signer)


def test_a_replacement_that_comes_after_the_block_it_was_for(
    book: Ledger, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    """What waits is too cheap for every block by then; Hardhat says that its nonce is used."""
    sends = 0
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:

        def is_late(request: Json, forward: Forward) -> Json:
            nonlocal sends
            sends += request["method"] == SEND
            if request["method"] == SEND and sends == 2:
                mine(chain)
            answer = forward(request)
            if request["method"] == SEND and sends == 1:
                chain.request("hardhat_setNextBlockBaseFeePerGas", hex(300 * GWEI))
            return answer

        hostile.behave = is_late
        with unmined(chain):
            fees = FeePolicy(1000 * GWEI)
            receipt = pay(Sender(book, shaky, signer, fees=fees, patience=HASTY))
        first, *others = attempts(book, chain)
        assert receipt.hash in {it.signed.hash for it in others}
        assert receipt.succeeded
        assert first.status == "replaced"
        check_outbox(book, chain, signer)


def test_a_replacement_that_was_stored_and_not_sent(
    book: Ledger, hostile: RpcProxy, node: Node, signer: Signer
) -> None:
    """The run ended in between: the next one broadcasts it at once, though another one waits."""
    sends = 0
    with Chain.connect(node.url) as chain, Chain.connect(hostile.url) as shaky:

        def ends(request: Json, forward: Forward) -> Json:
            nonlocal sends
            sends += request["method"] == SEND
            if sends > 1:
                raise Dropped
            return forward(request)

        hostile.behave = ends
        with ThreadPoolExecutor(1) as pool:
            with unmined(chain):
                with pytest.raises(NoAnswerError):
                    pay(Sender(book, shaky, signer, patience=HASTY))
                assert statuses(book, PAY) == ["sent", "signed"]
                going = pool.submit(settled, Sender(book, chain, signer, patience=SLOW))
                waited(lambda: statuses(book, PAY) == ["sent", "sent"])
            [landed] = going.result()
        assert landed.is_broadcast
        assert statuses(book, PAY) == ["replaced", "mined"]
        check_outbox(book, chain, signer)


def test_a_key_that_cannot_pay_signs_nothing(book: Ledger, any_chain: Chain, owner: Signer) -> None:
    with pytest.raises(FundsError, match="send it some"):
        pay(Sender(book, any_chain, owner, patience=QUICK))
    any_chain.request("hardhat_setBalance", str(owner.address), hex(GWEI))
    with pytest.raises(FundsError, match="send it some"):
        pay(Sender(book, any_chain, owner, patience=QUICK))
    assert attempts(book, any_chain) == []


# --- others with the same key ---


def test_what_was_sent_by_hand_is_waited_for(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with unmined(any_chain):
            mine = by_hand(any_chain, signer)
            any_chain.send(mine)
            going = pool.submit(
                pay, Sender(book, any_chain, signer, patience=SLOW, say=said.append)
            )
            waited(lambda: said)
            assert attempts(book, any_chain) == []
        assert going.result().succeeded
    assert attempts(book, any_chain)[0].nonce == mine.nonce + 1
    check_outbox(book, any_chain, signer)


_HOLDS = """
import sys, time
from ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger, ledger.alone("work", "works"):
    print("held", flush=True)
    time.sleep(60)
"""


def is_free(ledger: Ledger, name: str) -> bool:
    """Tell whether nobody is in `name`."""
    try:
        with ledger.alone(name, "works"):
            return True
    except BusyError:
        return False


def test_one_process_at_a_time_until_it_ends_however_it_ends(database_url: str) -> None:
    with Ledger.create(database_url) as ledger:
        with (
            subprocess.Popen(
                [sys.executable, "-c", _HOLDS, database_url], stdout=subprocess.PIPE, text=True
            ) as other,
        ):
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(BusyError, match=r"another process works \(.*[0-9]+.*wait"):
                ledger.alone("work", "works").__enter__()
            with ledger.alone("other work", "works"):
                assert other.poll() is None
            other.send_signal(signal.SIGKILL)
        waited(lambda: is_free(ledger, "work"))
        with ledger.alone("work", "works"), pytest.raises(BusyError):
            ledger.alone("work", "works").__enter__()
        with ledger.alone("work", "works"):
            assert other.returncode == -signal.SIGKILL


def test_two_senders_of_one_database_do_not_meet(
    book: Ledger, sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    with (
        Ledger.open(sqlite_url) as same,
        Sender(book, chain, signer),
        pytest.raises(BusyError, match=f"sends with the key of {signer.address} to chain 31337"),
    ):
        Sender(same, chain, signer).__enter__()
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    assert not [path for path in folder.iterdir() if path.suffix == ".lock"]


# --- how deep ---


def test_confirmations_are_waited_for(book: Ledger, chain: Chain, signer: Signer) -> None:
    said: list[str] = []
    with Sender(book, chain, signer, patience=SLOW, say=said.append) as sender:
        receipt = sender.send(PAY, TO, value=1)
        assert sender.wait_until(Confirmed(1))
        done = threading.Event()

        def mine() -> None:
            waited(lambda: said)
            chain.request("evm_mine")
            waited(lambda: len(said) > 1)
            chain.request("evm_mine")
            done.set()

        with ThreadPoolExecutor(1) as pool:
            mining = pool.submit(mine)
            assert sender.wait_until(Confirmed(3))
            mining.result()
        assert chain.block().number == receipt.block_number + 2
        assert done.is_set()
        chain.request("anvil_mine", hex(3))
        assert sender.wait_until(Confirmed(1, "safe"))
        assert sender.wait_until(Confirmed(1, "finalized"))
    assert [it.status for it in attempts(book, chain)] == ["finalized"]


# --- what nodes say ---


def test_errors_of_both_nodes_have_names(any_chain: Chain, signer: Signer, owner: Signer) -> None:
    used = by_hand(any_chain, signer)
    wallet.send_and_wait(any_chain, used, "paying")
    any_chain.send(used)  # it is there: no error
    with pytest.raises(NonceUsedError):
        any_chain.send(by_hand(any_chain, signer, nonce=used.nonce, value=8))
    with pytest.raises(FeeTooLowError):
        any_chain.send(by_hand(any_chain, signer, maxFeePerGas=1, maxPriorityFeePerGas=1))
    with pytest.raises(FundsError):
        any_chain.send(by_hand(any_chain, owner))
    with pytest.raises(GasTooLowError):
        any_chain.send(by_hand(any_chain, signer, gas=20_000))
    with unmined(any_chain):
        first = by_hand(any_chain, signer)
        any_chain.send(first)
        any_chain.send(first)
        with pytest.raises(UnderpricedError):
            any_chain.send(by_hand(any_chain, signer, nonce=first.nonce, value=8))


def test_what_waits_and_is_too_cheap_makes_way_for_more(hardhat: Node, signer: Signer) -> None:
    """Hardhat replaces nothing while it mines by itself; Anvil always does."""
    with Chain.connect(hardhat.url) as chain:
        with unmined(chain):
            first = by_hand(chain, signer)
            chain.send(first)
            chain.request("hardhat_setNextBlockBaseFeePerGas", hex(300 * GWEI))
        with pytest.raises(UnderpricedError):
            chain.send(by_hand(chain, signer, nonce=first.nonce, maxFeePerGas=3 * GWEI + 1))
        assert chain.knows(first.hash)
        more = by_hand(chain, signer, nonce=first.nonce)
        assert wallet.send_and_wait(chain, more, "paying").succeeded
        assert not chain.knows(first.hash)
