"""`evm-ledger chain plan`: the table and the JSON of what a replay will take, and its options."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger import Ledger, Movement
from tests.bridge.histories import post
from tests.bridge.planning import new_ledger, open_accounts

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.support.nodes import Node

PLAN = ("chain", "plan", "--gas-price")


def test_the_table_says_what_a_replay_takes(stocked: Shell) -> None:
    """Labels to the left and numbers to the right, in no more than 100 columns."""
    table = stocked.run(*PLAN, "0.05")
    today = stocked.json(*PLAN, "0.05")["rules"][0]
    lines = table.splitlines()
    assert lines[0] == "SCI: 2 entries in 1 batch"
    assert max(map(len, lines)) <= 100
    assert len({len(line) for line in lines if re.search(r"\d$", line) and ":" not in line}) == 1
    gas = today["replay"]["gas"]
    assert re.search(rf"^  gas +{gas:,} +[\d,]+$", table, re.MULTILINE)
    assert re.search(rf"^    an entry +{-(-gas // 2):,} +[\d,]+$", table, re.MULTILINE)
    assert table.count("\n    an entry") == 10, "of five figures, of the replay and of the others"
    for name, place in (("transactions", 0), ("calldata bytes", 1), ("blocks they fill", 3)):
        each = today["replay"][f"{name.split(' they')[0].replace(' ', '_')}_an_entry"]
        below = re.findall(r"^    an entry +([\d.,]+) +[\d.,]+$", table, re.MULTILINE)
        assert below[place] == each, name
    assert "2 entries are in no seal yet: planned as if sealed now" in lines
    assert lines[-1].startswith("EIP-7976/8037: as drafted, with EIP 2780, ")
    stocked.run("seal")
    assert "no seal" not in stocked.run(*PLAN, "0.05")


def test_costs_are_exact(stocked: Shell) -> None:
    """A price has nine decimals, an ether eighteen: no figure passes through a float."""
    made = stocked.json(*PLAN, "123456.123456789")
    price = 123_456_123_456_789
    assert made["gas_price_wei"] == str(price)
    for rules in made["rules"]:
        parts = [rules[name] for name in ("replay", "deploy", "finalize")]
        for part in (*parts, rules["alone"]):
            assert part["cost_wei"] == str(part["gas"] * price)
        assert rules["cost_wei"] == str(sum(part["gas"] for part in parts) * price)
        for part in (rules["replay"], rules["alone"]):
            for name in ("transactions", "calldata_bytes", "blocks"):
                assert Fraction(part[f"{name}_an_entry"]) == Fraction(part[name], 2)
        share = -(-rules["replay"]["gas"] * price // 2)
        assert rules["replay"]["cost_wei_an_entry"] == str(share)
        assert sum(run["gas"] for run in rules["runs"]) == rules["replay"]["gas"]
    assert [rules["name"] for rules in made["rules"]] == ["today", "EIP-7976/8037"]
    assert (made["entries"], made["unsealed"], made["batches"]) == (2, 2, 1)
    assert made["assets"] == [
        {
            "symbol": "SCI",
            "entries": 2,
            "unsealed": 2,
            "batches": 1,
            "exact_gas": made["rules"][0]["replay"]["gas"],
            "deferred_gas": None,
            "deferred": False,
        }
    ]


def test_a_free_chain_costs_nothing(stocked: Shell) -> None:
    assert stocked.json(*PLAN, "0")["rules"][0]["cost_wei"] == "0"
    assert re.search(r"^  cost in ETH +0\.0{18} +0\.0{18}$", stocked.run(*PLAN, "0"), re.MULTILINE)


def test_an_export_is_planned_without_a_database(stocked: Shell, folder: Path) -> None:
    stocked.run("seal")
    stocked.run("export", folder / "x")
    expected = stocked.run(*PLAN, "1")
    stocked.environment["EVM_LEDGER_DATABASE"] = f"sqlite:///{folder / 'none.db'}"
    assert stocked.run(*PLAN, "1", "--export", folder / "x") == expected
    assert "manifest.json" in stocked.fails(*PLAN, "1", "--export", folder / "none")
    assert not (folder / "none.db").exists()


def test_one_ledger_is_planned_not_two(stocked: Shell, folder: Path) -> None:
    """A database that somebody wrote is not passed over; one of the environment stands for all."""
    stocked.run("seal")
    stocked.run("export", folder / "x")
    both = ("--export", folder / "x", "--database", stocked.database)
    said = stocked.fails(*PLAN, "1", *both)
    assert "--export and --database name two ledgers: give one of them" in said


def test_what_an_entry_takes_is_exact_to_the_millionth(shell: Shell) -> None:
    with new_ledger(shell.database) as ledger:
        open_accounts(ledger, 6, 5)
        ledger.transfer("a1", "a2", 1)
    replay = shell.json(*PLAN, "1", "--max-logs", "4")["rules"][0]["replay"]
    assert (replay["transactions"], replay["transactions_an_entry"]) == (2, "0.285714")
    each = round(Fraction(replay["calldata_bytes"], 7) * 10**6)
    assert replay["calldata_bytes_an_entry"] == f"{each // 10**6}.{each % 10**6:06}"


def test_limits_cut_the_runs(stocked: Shell) -> None:
    stocked.run("seal")
    whole, cut = stocked.json(*PLAN, "1"), stocked.json(*PLAN, "1", "--max-logs", "1")
    assert [len(made["rules"][0]["runs"]) for made in (whole, cut)] == [1, 2]
    assert (whole["batches"], cut["batches"], cut["max_logs"]) == (1, 1, 1)
    limits = ("--gas-cap", "400000", "--max-bytes", "2048", "--block-gas", "5000000")
    made = stocked.json(*PLAN, "1", *limits)
    assert (made["gas_cap"], made["max_bytes"], made["block_gas"]) == (400_000, 2_048, 5_000_000)


def test_a_replay_cuts_as_the_column_of_its_rules(shell: Shell, anvil: Node) -> None:
    """Each set of rules cuts otherwise, and `chain replay` sends what the plan has for it."""
    with new_ledger(shell.database) as ledger:
        open_accounts(ledger, 20, 5)
        ledger.seal()
    rpc, small = ("--rpc", anvil.url), ("--block-gas", "1500000")
    columns = shell.json(*PLAN, "1", *small)["rules"]
    planned = [it["replay"]["transactions"] for it in columns]
    assert planned[0] < planned[1]
    shell.run("chain", "deploy", *rpc, "--rules", "planned")
    for name, transactions in zip(("today", "planned"), planned, strict=True):
        would = shell.json("chain", "replay", "--dry-run", *rpc, *small, "--rules", name)
        assert would["transactions"] == transactions
    sent = shell.json("chain", "replay", *rpc, *small, "--rules", "planned")
    assert len(sent["assets"][0]["transactions"]) == planned[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "missing option '--gas-price'"),
        (["--gas-price", "cheap"], "--gas-price: must be a plain decimal like '12.5'"),
        (["--gas-price", "-1"], "--gas-price: must be a plain decimal"),
        (["--gas-price", "0.0000000001"], "has more than 9 decimals; nothing is rounded"),
        (["--gas-price", "1000000000.1"], "over a thousand million gwei"),
        (["--gas-price", "1", "--gas-cap", "20000000"], "250000<=x<=16777216"),
        (["--gas-price", "1", "--max-logs", "0"], "1<=x<=4000"),
        (["--gas-price", "1", "--max-bytes", "131073"], "1024<=x<=131072"),
        (["--gas-price", "1", "--block-gas", "999999"], "x>=1000000"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    stocked: Shell, options: list[str], message: str
) -> None:
    assert message in stocked.fails("chain", "plan", *options)


def test_a_plan_changes_nothing(stocked: Shell) -> None:
    before = stocked.run("changes")
    stocked.run(*PLAN, "1")
    assert stocked.run("changes") == before
    assert [seal["number"] for seal in stocked.json("seal")] == [1]


def test_an_empty_ledger_can_be_planned(shell: Shell) -> None:
    shell.run("init", "--symbol", "SCI", "--name", "SCI token")
    table = shell.run(*PLAN, "1")
    assert table.startswith("SCI: 0 entries in 0 batches\n")
    assert re.search(r"^  gas, times that of the replay +- +-$", table, re.MULTILINE)
    assert "an entry" not in table


def test_the_page_shows_what_the_command_prints(shell: Shell) -> None:
    """docs/plan.md, of a ledger whose ids and times are always the same."""
    with new_ledger(shell.database, "PTS", decimals=2) as ledger:
        open_accounts(ledger, 300, 500_00)
        chance = random.Random(9)
        pairs = (chance.sample(range(300), 2) for _ in range(2_700))
        post(ledger, *(Movement(f"a{a}", f"a{b}", chance.randrange(1, 9_99)) for a, b in pairs))
        ledger.seal()
        ledger.transfer("a1", "a2", 7)
    page = (Path(__file__).parents[2] / "docs" / "plan.md").read_text(encoding="utf-8")
    shown = re.search(r"```sh\nevm-ledger (.*)\n```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    assert shell.run(*shown[1].split()) == shown[2]


def test_both_modes_are_named_where_there_are_two(shell: Shell) -> None:
    """Of a token that can defer balances: what replay will do, and in parentheses the other."""
    with new_ledger(shell.database, "PTS", decimals=2, version="LedgerTokenDeferred/1") as ledger:
        open_accounts(ledger, 300, 500_00)
        ledger.seal()
    one = shell.json(*PLAN, "1")["assets"][0]
    line = shell.run(*PLAN, "1").splitlines()[0]
    modes = f"exact {one['exact_gas']:,} (deferred {one['deferred_gas']:,} gas)"
    assert line == f"PTS: 300 entries in 1 batch, balances {modes}"
    with Ledger.open(shell.database) as ledger:
        for amount in range(1, 5):
            names = [f"a{number}" for number in range(300)]
            post(ledger, *(Movement(a, b, amount) for a, b in pairwise(names)))
            ledger.seal()
    one = shell.json(*PLAN, "1")["assets"][0]
    assert one["deferred_gas"] < one["exact_gas"]
    line = shell.run(*PLAN, "1").splitlines()[0]
    modes = f"deferred {one['deferred_gas']:,} gas (exact {one['exact_gas']:,})"
    assert line == f"PTS: 1,496 entries in 5 batches, balances {modes}"
