"""How nodes differ is known in `bridge/chain.py` alone: nothing else names one, or asks which."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BRIDGE: Final = ROOT / "bridge"

ALLOWED: Final = {
    "anvil.py": "starts an Anvil for the demo",
    "cli_chain.py": "the demo's option and help",
    "demo.py": "takes that option, and says what it needs",
    "keys.py": "the accounts that test nodes fund",
}
"""Modules in which a node may be named, and why; what it does may be in none of them."""

_NAME: Final = re.compile(r"anvil|hardhat|ganache", re.IGNORECASE)
_OWN: Final = re.compile(
    r"\b(?:anvil|hardhat|evm|ganache|debug|trace|txpool|ots)_(?!ledger)[a-z]+[A-Z]?\w*"
    r"|\beth_(?:pendingTransactions|simulateV1|getBlockReceipts|createAccessList)\b"
    r"|clientVersion"
)
"""Methods that not every node has, and the one that says which node it is."""
_READS: Final = re.compile(
    r"\bin (?:str\(error\)|error\.message)|error\.message\.lower|error\.code *(?:==|!=|in)"
)
"""Telling errors apart by what a node says."""

FACTS: Final = {"names a node": _NAME, "asks as one node wants it": _OWN, "reads an error": _READS}


def found(pattern: re.Pattern[str], *, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Return the lines of the bridge, outside `bridge/chain.py`, that fit."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(BRIDGE.rglob("*.py"))
        if path != BRIDGE / "chain.py" and path.relative_to(BRIDGE).as_posix() not in allowed
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("fact", FACTS)
def test_nothing_but_the_chain_knows_a_node(fact: str) -> None:
    named = frozenset(ALLOWED) if fact == "names a node" else frozenset()
    assert found(FACTS[fact], allowed=named) == [], f"this {fact}: move it to bridge/chain.py"


def test_who_may_name_a_node_does() -> None:
    for name in ALLOWED:
        assert _NAME.search((BRIDGE / name).read_text(encoding="utf-8")), f"{name} names none"


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ('chain.request("hardhat_setCode", to, code)', "asks as one node wants it"),
        ('chain.request("anvil_reorg", 1, [])', "asks as one node wants it"),
        ('chain.request("evm_mine")', "asks as one node wants it"),
        ('if "Geth" in chain.request("web3_clientVersion"):', "asks as one node wants it"),
        ('chain.request("eth_simulateV1", calls)', "asks as one node wants it"),
        ("# Hardhat nests what a contract reverted with.", "names a node"),
        ('"""Anvil keeps a slot that was cleared."""', "names a node"),
        ('if "nonce too low" in error.message:', "reads an error"),
        ("if error.code == 3:", "reads an error"),
    ],
)
def test_what_is_looked_for(line: str, fact: str) -> None:
    assert FACTS[fact].search(line)


@pytest.mark.parametrize(
    "line",
    ['chain.request("eth_call", *parameters)', "EVM_LEDGER_RPC", '"evm_ledger_requests"'],
)
def test_what_is_not(line: str) -> None:
    assert not any(pattern.search(line) for pattern in FACTS.values())
