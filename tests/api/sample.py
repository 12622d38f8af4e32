"""A ledger for people to look at: the same bytes each time, hostile texts included on demand."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ledger import Address, Group, Hash32, Ledger, Movement

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = 10**18
BEGAN = 1_789_999_200_000_000
HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "</title></textarea></style><svg/onload=alert(1)>",
    "&lt;b&gt; \u202eevil\u202c",
)
"""What must come out of a page as it went in: text."""
EVIL = " ".join(HOSTILE)
"""All of them in one."""
ODD_IDS = (
    ".", "..", "...", "a/../b", "../accounts", "/", "//example.org", "%2e%2e", "a%2Fb", "?id=b#c",
    "a&b=c", "+ +", " ", "~", "\\", "Ünï/çødé", "名前", "😀", "x" * 255,
)  # fmt: skip
"""Ids that are hard to name in a path."""


def clock(seed: int) -> Callable[[], int]:
    """Return a clock that moves a minute to half an hour each time somebody looks."""
    moves = random.Random(seed)
    now = BEGAN

    def tell() -> int:
        nonlocal now
        now += moves.randint(60, 1_800) * 1_000_000
        return now

    return tell


def sample_ledger(url: str) -> Ledger:
    """Make a ledger with a few hundred entries, seals, holds, a group, a reversal, a replay."""
    ledger = Ledger.create(
        url, ledger_id=Hash32(b"\x51" * 32), pepper=Hash32(b"\x52" * 32), clock=clock(1)
    )
    ledger.create_asset("SCI", "Science token", 18, operator=Address(b"\x53" * 20))
    ledger.create_asset("GLD", "Gold", 2)
    names = [f"agent-{number:02}" for number in range(40)]
    for name in names:
        ledger.create_account(name, asset="SCI")
    choose = random.Random(2)
    reasons = ("tip:answer", "bounty", "subscription", "earn:debate")
    for number in range(360):
        payer, payee = choose.sample(names[: 8 + number // 8], 2)
        amount = min(choose.randint(1, 900) * TOKEN // 10, ledger.get_balance(payer, "SCI") // 2)
        ledger.transfer(
            payer,
            payee,
            max(amount, 1),
            asset="SCI",
            reason=choose.choice(reasons),
            reference_type="post",
            reference_id=str(number % 40),
            memo=f"for answer {number}",
        )
        if number % 100 == 99:
            ledger.seal()
    ledger.mint("agent-01", 12_345, asset="GLD", reason="reward")
    ledger.post_many(
        [
            Group(
                (
                    Movement("agent-02", "agent-03", TOKEN, "SCI", "trade"),
                    Movement("agent-01", "agent-02", 100, "GLD", "trade"),
                )
            )
        ]
    )
    ledger.reverse(ledger.transfer("agent-04", "agent-05", TOKEN, asset="SCI").id, reason="mistake")
    ledger.hold("agent-01", 5 * TOKEN, "agent-02", asset="SCI", reason="order")
    ledger.void_hold(ledger.hold("agent-02", TOKEN, asset="SCI").id)
    _replayed(ledger)
    return ledger


def _replayed(ledger: Ledger) -> None:
    """Note replays of the first two batches, as the bridge does: the second is not final yet."""
    batches = [batch for sealed in ledger.seals() for batch in sealed.batches]
    for number, state in ((0, "finalized"), (1, "mined")):
        batch = batches[number].batch
        row = {
            "first": batch.first_seq, "last": batch.last_seq, "number": number + 1, "state": state,
            "nonce": number, "hash": bytes([0x60 + number]) * 32, "block": 1_000 + number,
        }  # fmt: skip
        with ledger.connection() as connection:
            connection.exec_driver_sql(
                "INSERT INTO token_submissions (asset, chain_id, contract, number, first_seq, "
                "last_seq, nonce, tx_hash, raw, status, block_number, created_at, updated_at, "
                "purpose) VALUES (1, '31337', x'"
                + "54"
                * 20
                + "', :number, :first, :last, :nonce, :hash, x'02', :state, :block, 1, 1, "
                "'replay')",
                row,
            )


def hostile_ledger(url: str) -> Ledger:
    """Make a ledger in which every text that somebody may give is hostile."""
    ledger = Ledger.create(url, clock=clock(3))
    for number, text in enumerate((*HOSTILE, EVIL)):
        ledger.create_asset(text[:64], text, 18)
        ledger.create_account(text, 1_000 * TOKEN, asset=text[:64])
        ledger.create_account(f"to {text}", 0, asset=text[:64])
        ledger.transfer(
            text,
            f"to {text}",
            TOKEN,
            asset=text[:64],
            reason=text,
            reference_type=text,
            reference_id=text,
            memo=f"{text}\r\nand \r more\n",
            idempotency_key=f"{text}{number}",
        )
        ledger.hold(
            text,
            TOKEN,
            f"to {text}",
            asset=text[:64],
            reason=text,
            reference_type=text,
            reference_id=text,
            memo=text,
            idempotency_key=f"hold {text}{number}",
        )
    for account_id in ODD_IDS:
        ledger.create_account(account_id, 0)
    ledger.seal()
    return ledger
