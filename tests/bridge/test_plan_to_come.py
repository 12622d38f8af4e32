"""The plan by the rules to come, beside what another EVM takes (contracts/amsterdam.mjs).

No node has all of these rules yet: Anvil has none, Hardhat some (tests/bridge/test_plan.py).
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from bridge.artifacts import factory_creation, token_creation
from bridge.batches import Limits, run_calldata, start
from bridge.codec import encode_call
from bridge.deferral import Row, announce
from bridge.due import due_runs, sealed_batches
from bridge.keys import TEST_ADDRESS
from bridge.plan import plan
from bridge.plan_deferral import most_rows
from bridge.plan_rules import PLANNED, TODAY
from ledger import Ledger, Movement
from ledger.addresses import DEPLOYMENT_PROXY
from ledger.ids import first_head
from ledger.model import ZERO_ADDRESS
from tests.bridge.histories import post, seal_all
from tests.bridge.planning import HISTORIES, new_ledger, open_accounts
from tests.contracts.chain import PROXY_CODE
from tests.support.nodes import run_node_js

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.batches import Run
    from ledger import Asset

KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""The public test key: that of `TEST_ADDRESS`."""

SMALL: Final = Limits(gas=3_000_000, block_gas=30_000_000, rules=PLANNED)


class Call(NamedTuple):
    """A transaction that the operator sends."""

    to: object
    data: bytes
    gas: int


def taken(calls: list[Call], limits: Limits, folder: Path) -> list[dict[str, Any]]:
    """Return what each call took: {"used", "state"}; none of them failed."""
    asked = {
        "block_gas": limits.block_gas,
        "key": KEY,
        "codes": {str(DEPLOYMENT_PROXY): PROXY_CODE},
        "calls": [
            {"to": str(call.to), "data": "0x" + call.data.hex(), "gas": call.gas} for call in calls
        ],
    }
    (folder / "calls.json").write_text(json.dumps(asked), encoding="utf-8")
    ran = run_node_js("amsterdam.mjs", folder / "calls.json")
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    assert [one["error"] for one in found] == [None] * len(calls)
    return found


def owned(ledger: Ledger) -> list[Asset]:
    return [replace(asset, operator=TEST_ADDRESS) for asset in ledger.assets()]


def creations(ledger: Ledger, gas: int) -> list[Call]:
    """Return the calls that deploy everything."""
    made = [token_creation(ledger.identity.ledger_id, asset) for asset in owned(ledger)]
    return [Call(DEPLOYMENT_PROXY, it.salt + it.code, gas) for it in (factory_creation(), *made)]


def runs(ledger: Ledger, asset: Asset, limits: Limits) -> Iterator[Run]:
    """Yield what `replay` sends to a contract that has nothing."""
    at = start(first_head(ledger.identity.domain, asset.id))
    batches = sealed_batches(ledger).get(asset.symbol, [])
    for run, _ in due_runs(ledger, asset, batches, at, limits):
        yield run


@pytest.mark.parametrize(
    ("history", "limits"),
    [
        ("mixed", Limits(rules=PLANNED)),
        ("many_new_accounts", SMALL),
        ("emptied", SMALL),
        ("largest_amounts", Limits(transaction_bytes=1_024, rules=PLANNED)),
        ("of_a_chain", Limits(entries=20, rules=PLANNED)),
    ],
)
def test_each_transaction_takes_what_was_planned(
    history: str, limits: Limits, sqlite_url: str, tmp_path: Path
) -> None:
    """To the unit, of both kinds of gas, and given no more than it was said to need."""
    with HISTORIES[history](sqlite_url) as ledger:
        seal_all(ledger)
        made = plan(ledger, limits=limits).planned
        assert made == plan(ledger, limits=replace(limits, rules=TODAY)).planned
        deployed, ended = creations(ledger, limits.block_gas), []
        replayed, planned = [], iter(made.runs)
        for asset in owned(ledger):
            token = token_creation(ledger.identity.ledger_id, asset).address
            mine = list(runs(ledger, asset, limits))
            replayed += [Call(token, run_calldata(it), next(planned).gas_needed) for it in mine]
            last = mine[-1].after
            end = encode_call("finalize(bytes32,uint64)", last.history, last.last_seq)
            ended.append(Call(token, end, 100_000))
    found = taken([*deployed, *replayed, *ended], limits, tmp_path)
    first, last_run = len(deployed), len(deployed) + len(replayed)
    assert [(it["used"], it["state"]) for it in found[first:last_run]] == [
        (run.gas, run.state_gas) for run in made.runs
    ]
    assert sum(it["used"] for it in found[last_run:]) == made.finalize.gas
    assert sum(it["state"] for it in found[:first]) == made.deploy.state_gas
    assert sum(it["used"] for it in found[:first]) == pytest.approx(made.deploy.gas, rel=0.001)


def test_a_deferral_takes_what_was_planned(sqlite_url: str, tmp_path: Path) -> None:
    """Within 3 percent, its settlement cut so that each transaction's state gas fits in a block."""
    limits = Limits(block_gas=30_000_000, rules=PLANNED)
    with new_ledger(sqlite_url, version="LedgerTokenDeferred/1") as ledger:
        open_accounts(ledger, 300, 50_000)
        ledger.seal()
        for amount in range(1, 5):
            names = [f"a{number}" for number in range(300)]
            post(ledger, *(Movement(a, b, amount) for a, b in pairwise(names)))
            ledger.seal()
        made = plan(ledger, limits=limits)
        [asset] = owned(ledger)
        own = [account for account in ledger.accounts() if account.address != ZERO_ADDRESS]
        rows = [Row(it.address, 0, ledger.get_balance(it.account_id)) for it in own]
        sent = list(runs(ledger, asset, limits))
        token = token_creation(ledger.identity.ledger_id, asset).address
        deployed = creations(ledger, limits.block_gas)
    ours = announce(sent[-1].after.history, sent[-1].after.last_seq, rows)
    data = [
        ours.begin_call(),
        *map(run_calldata, sent),
        *(call.data for call in ours.settle_calls(ours.settlement, most_rows(limits))),
    ]
    assert made.assets[0].deferred
    assert len(data) == made.planned.replay.transactions > made.today.replay.transactions
    calls = [Call(token, one, limits.block_gas) for one in data]
    found = taken([*deployed, *calls], limits, tmp_path)[len(deployed) :]
    for took, run in zip(found, made.planned.runs, strict=True):
        assert run.gas == pytest.approx(took["used"], rel=0.03)
        assert run.gas_needed <= limits.block_gas
    assert made.planned.replay.gas == pytest.approx(sum(it["used"] for it in found), rel=0.03)
