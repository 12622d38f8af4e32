"""`docs/trust.md` lists every power on the chain, and the sources warn of each."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import pytest

from tests.contracts.chain import artifact
from tests.support.nodes import CONTRACTS

PAGE: Final = CONTRACTS.parent / "docs" / "trust.md"
DOCUMENTED_IN: Final = {
    "LedgerToken": "interfaces/ILedgerToken.sol",
    "LedgerTokenDeferred": "interfaces/IDeferral.sol",
    "AccountFactory": "AccountFactory.sol",
    "LedgerAccount": "LedgerAccount.sol",
}
WARNED_OF: Final = {
    "operator",
    "owner",
    "who was offered it",
    "anybody, with the registrar's signature",
}
_ROW: Final = re.compile(
    r"^\| `(\w+)\.(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE
)  # fmt: skip


class Power(NamedTuple):
    """A row of the page: who may call a function, when, and what it can do."""

    contract: str
    function: str
    who: str
    when: str
    what: str


POWERS: Final = tuple(Power(*row) for row in _ROW.findall(PAGE.read_text(encoding="utf-8")))


def changing(contract: str) -> set[str]:
    """Return the functions of a contract that can change something."""
    return {
        item["name"]
        for item in artifact(contract)["abi"]
        if item["type"] == "function" and item["stateMutability"] not in {"view", "pure"}
    }


def listed(contract: str) -> set[str]:
    return {power.function for power in POWERS if power.contract == contract}


def test_every_function_that_changes_something_is_listed() -> None:
    assert {power.contract for power in POWERS} == DOCUMENTED_IN.keys()
    for contract in ("LedgerToken", "AccountFactory", "LedgerAccount"):
        assert listed(contract) == changing(contract)
    assert listed("LedgerTokenDeferred") == changing("LedgerTokenDeferred") - changing(
        "LedgerToken"
    )
    assert changing("EntryProof") == set()


@pytest.mark.parametrize(
    "power", [it for it in POWERS if it.who in WARNED_OF], ids=lambda it: it.function
)
def test_the_sources_warn_of_it(power: Power) -> None:
    text = (CONTRACTS / "src" / DOCUMENTED_IN[power.contract]).read_text(encoding="utf-8")
    found = re.search(rf"((?: +///.*\n)+) +function {power.function}\(", text)
    assert found
    assert "WARNING:" in found[1]


def test_who_is_warned_of() -> None:
    others = {"holder", "who has an allowance", "anybody", "the factory"}
    others.add("anybody, with the holder's signature")
    assert {power.who for power in POWERS} == WARNED_OF | others
