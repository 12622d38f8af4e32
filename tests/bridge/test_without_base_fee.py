"""A chain from before EIP-1559: one gas price, transactions of the first kind, replaced as any."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.claims import send_claim
from bridge.deploy import deploy
from bridge.dry_run import preview
from bridge.errors import FeeCapError, RpcError
from bridge.fees import GWEI, FeePolicy, Fees
from bridge.outbox import Outbox
from bridge.outbox_file import OutboxFile
from bridge.patience import Patience
from bridge.replay import replay
from bridge.verify import verify
from tests.bridge.lives import REGISTRAR, WALLET, claim_of, go_live, holders, signed
from tests.bridge.outcomes import HASTY, QUICK, check_exact, check_outbox, statuses
from tests.bridge.test_proxy import BARE
from tests.bridge.test_sending import unmined
from tests.bridge.test_survives import waited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.keys import Signer
    from ledger import Ledger
    from tests.conftest import StartNode


@pytest.fixture
def old(start_anvil: StartNode) -> Iterator[Chain]:
    """Return a connection to a chain by the rules of Berlin, without the deployment proxy."""
    with Chain.connect(start_anvil("--hardfork", "berlin", BARE).url) as chain:
        assert chain.block().base_fee is None
        assert chain.market().base_fee is None
        yield chain


def check_first_kind(ledger: Ledger, chain: Chain) -> None:
    """Check that all that was signed has one price, and no envelope (EIP-2718)."""
    made = Outbox(ledger, chain.chain_id).attempts()
    assert made
    for attempt in made:
        assert attempt.signed.raw[0] >= 0xC0
        assert attempt.fees is not None
        assert attempt.fees.priority_fee is None
        found = chain.request("eth_getTransactionByHash", str(attempt.signed.hash))
        if found is not None:
            assert int(found["type"], 16) == 0
            assert int(found["gasPrice"], 16) == attempt.fees.max_fee


def test_it_takes_no_other_kind(old: Chain, signer: Signer) -> None:
    """So what follows is no accident."""
    fields = Fees(10 * GWEI, GWEI).fields()
    made = signer.sign(
        {"chainId": old.chain_id, "nonce": 0, "to": str(WALLET.address), "gas": 21_000,
         "value": 1, **fields}
    )  # fmt: skip
    with pytest.raises(RpcError, match="1559"):
        old.send(made)


def test_a_life_on_it(old: Chain, signer: Signer, sqlite_url: str, tmp_path: Path) -> None:
    """Proxy, factory, token, batches, finalize, claim; proven down to the hash of its header."""
    with holders(sqlite_url, registrar=REGISTRAR.address) as book:
        go_live(book, old, signer)
        check_exact(book, old, signer)
        with OutboxFile.open(tmp_path / "outbox.db") as outbox:
            claim = signed(claim_of(book, old, "alice", WALLET.address))
            assert send_claim(outbox, old, signer, claim, patience=QUICK).amount == 800
            check_outbox(outbox, old, signer)
        check_first_kind(book, old)
        assert verify(book, old, 3).agree


def test_what_is_stuck_there_is_replaced(book: Ledger, old: Chain, signer: Signer) -> None:
    """Each offer is an eighth more than the one before, and the chain has each batch once."""
    deploy(book, old, signer)
    outbox = Outbox(book, old.chain_id)
    with ThreadPoolExecutor(1) as pool:
        with unmined(old):
            going = pool.submit(replay, book, old, signer, patience=HASTY)
            waited(lambda: len(outbox.attempts(purpose="replay")) > 2)
        assert going.result().batches == 4
    first = [it for it in outbox.attempts(purpose="replay") if it.subject.number == 1]
    stuck = [it for it in first if it.nonce == first[0].nonce]
    assert len(stuck) > 2
    for before, after in pairwise(stuck):
        assert after.replaces == before.id
        assert before.fees is not None
        assert after.fees is not None
        assert Fraction(after.fees.max_fee, before.fees.max_fee) >= Fraction(9, 8)
    assert statuses(book).count("mined") == 4
    check_first_kind(book, old)
    check_exact(book, old, signer)


def test_the_cap_and_the_preview_speak_of_the_price(
    book: Ledger, old: Chain, signer: Signer
) -> None:
    deploy(book, old, signer)
    price = old.market().tip
    seen = preview(book, old, signer)
    assert (seen.gas_price, seen.max_fee) == (price, price)
    cap, brief = FeePolicy(max_fee=price - 1), Patience(give_up_after=0.1)
    with pytest.raises(FeeCapError, match="--max-fee"):
        replay(book, old, signer, fees=cap, patience=brief)
    assert statuses(book) == []
    assert replay(book, old, signer, fees=FeePolicy(max_fee=price)).batches == 4
    check_exact(book, old, signer)
