"""Where the bridge looks for a token's state and code is where the compiler puts them."""

from __future__ import annotations

import json

import pytest

from bridge.token_layout import state_slots
from ledger import FieldError
from tests.support.nodes import run_node_js

# Prints the storage layout of a contract of `src/`, compiled by the same solc.
_SCRIPT = """
import { readFileSync } from "node:fs";
import solc from "solc";
const name = process.argv[1];
const path = `src/${name}.sol`;
const read = (file) =>
  ({ contents: readFileSync(file.startsWith("src/") ? file : `node_modules/${file}`, "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify({
  language: "Solidity",
  sources: { [path]: { content: read(path).contents } },
  settings: { evmVersion: "paris", outputSelection: { [path]: { [name]: ["storageLayout"] } } },
}), { import: read }));
console.log(JSON.stringify(output.contracts[path][name].storageLayout));
"""


@pytest.mark.parametrize("name", ["LedgerToken", "LedgerTokenDeferred"])
def test_the_compiler_lays_the_state_out_as_the_bridge_reads_it(name: str) -> None:
    done = run_node_js("--input-type=module", "-e", _SCRIPT, "--", name)
    assert done.returncode == 0, done.stderr
    layout = json.loads(done.stdout)
    places = {it["label"]: (int(it["slot"]), it["offset"], it["type"]) for it in layout["storage"]}
    slots = state_slots(f"{name}/1")
    history, head, counts, operator = (
        int.from_bytes(slot, "big")
        for slot in (slots.history, slots.head, slots.counts, slots.operator)
    )
    assert places["history"] == (history, 0, "t_bytes32")
    assert places["head"] == (head, 0, "t_bytes32")
    assert places["batchCount"] == (counts, 0, "t_uint64")
    assert places["lastSeq"] == (counts, 8, "t_uint64")
    assert places["live"] == (counts, 16, "t_bool")
    assert places["operator"] == (operator, 0, "t_address")
    if slots.final_seq is not None:
        start, _, struct = places["_deferral"]
        (member,) = (m for m in layout["types"][struct]["members"] if m["label"] == "finalSeq")
        assert (start + int(member["slot"]), member["offset"], member["type"]) == (
            int.from_bytes(slots.final_seq, "big"),
            0,
            "t_uint64",
        )
    assert (slots.final_seq is None) is ("_deferral" not in places)


def test_a_version_that_nobody_knows_is_refused() -> None:
    with pytest.raises(FieldError, match="upgrade"):
        state_slots("LedgerToken/99")
