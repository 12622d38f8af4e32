"""OpenZeppelin's ERC-20, compiled as most projects do: what the planner compares a replay with."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.contracts.chain import Contract, deploy_code
from tests.support.nodes import run_node_js

if TYPE_CHECKING:
    from tests.support.nodes import Node

_SOLIDITY: Final = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

contract PlainToken is ERC20("Plain token", "PLAIN") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
"""

_COMPILE: Final = """
import { readFileSync } from "node:fs";
import solc from "solc";

const input = {
  language: "Solidity",
  sources: { "PlainToken.sol": { content: process.argv[1] } },
  settings: {
    evmVersion: "paris",
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { PlainToken: ["abi", "evm.bytecode.object"] } },
  },
};
const load = (path) => ({ contents: readFileSync("node_modules/" + path, "utf8") });
const { contracts } = JSON.parse(solc.compile(JSON.stringify(input), { import: load }));
const { abi, evm } = contracts["PlainToken.sol"].PlainToken;
console.log(JSON.stringify({ abi, bytecode: evm.bytecode.object }));
"""


@cache
def _compiled() -> dict[str, Any]:
    """Compile the token."""
    done = run_node_js("--input-type=module", "--eval", _COMPILE, "--", _SOLIDITY)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def plain_token(node: Node) -> Contract:
    """Deploy it."""
    compiled = _compiled()
    return deploy_code(node, bytes.fromhex(compiled["bytecode"]), compiled["abi"])
