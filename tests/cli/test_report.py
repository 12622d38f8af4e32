from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ledger.support import unchanged

if TYPE_CHECKING:
    from tests.cli.shell import Shell


def test_the_report_needs_no_node(any_stocked: Shell) -> None:
    any_stocked.environment["EVM_LEDGER_RPC"] = "http://127.0.0.1:1"
    with unchanged(any_stocked.database):
        text = any_stocked.run("chain", "report")
        found = any_stocked.json("chain", "report")
    assert text.startswith("field ")
    assert "\nethereum: supported; what the tests run on\n" in text
    assert "  stops  SCI: not sealed yet, so not replayed: 2 (evm-ledger seal)\n" in text
    assert found["families"]["solana"]["supported"] is False
    assert {"stops": True, "about": "SCI"}.items() <= found["ledger"][-1].items()


def test_a_report_of_an_empty_ledger(shell: Shell) -> None:
    shell.run("init")
    assert shell.run("chain", "report").splitlines()[-1].startswith("  note   accounts: 0 with")
