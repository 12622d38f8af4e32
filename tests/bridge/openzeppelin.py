"""OpenZeppelin's own software, as the tests run it: its JavaScript, and its Solidity compiled."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.contracts.chain import Contract, deploy_code
from tests.support.nodes import run_node_js

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.nodes import Node

_TREE: Final = """
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const asked = JSON.parse(readFileSync(process.argv[1], "utf8"));
const answers = asked.map(({ types, values, dump, checks }) => {
  const made = values === undefined ? undefined : StandardMerkleTree.of(values, types);
  let loaded;
  try {
    loaded = dump === undefined ? undefined : StandardMerkleTree.load(dump);
  } catch (error) {
    loaded = { root: "refused: " + error.message, dump: () => null };
  }
  return {
    dump: made?.dump(),
    root: made?.root,
    proofs: made && values.map((_, position) => made.getProof(position)),
    loaded: loaded?.root,
    again: loaded?.dump(),
    checks: (checks ?? []).map(({ root, value, proof }) => {
      try {
        return StandardMerkleTree.verify(root, types, value, proof);
      } catch (error) {
        return "refused: " + error.message;
      }
    }),
  };
});
console.log(JSON.stringify(answers));
"""

_SOLIDITY: Final = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

contract Checker {
    function leafOf(address account, uint256 balance, address token, uint256 chainId, bytes32 batch)
        public pure returns (bytes32)
    {
        bytes memory value = abi.encode(account, balance, token, chainId, batch);
        return keccak256(bytes.concat(keccak256(value)));
    }

    function verify(bytes32[] calldata proof, bytes32 root, bytes32 leaf)
        external pure returns (bool)
    {
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }
}
"""

_COMPILE: Final = """
import { readFileSync } from "node:fs";
import solc from "solc";

const input = {
  language: "Solidity",
  sources: { "Checker.sol": { content: process.argv[1] } },
  settings: {
    evmVersion: "paris",
    outputSelection: { "*": { Checker: ["abi", "evm.bytecode.object"] } },
  },
};
const load = (path) => ({ contents: readFileSync("node_modules/" + path, "utf8") });
const { contracts, errors } = JSON.parse(solc.compile(JSON.stringify(input), { import: load }));
const { abi, evm } = contracts["Checker.sol"].Checker;
console.log(JSON.stringify({ abi, bytecode: "0x" + evm.bytecode.object, errors }));
"""


def _module(code: str, *arguments: str) -> Any:  # noqa: ANN401 (JSON is anything)
    """Run a JavaScript module where OpenZeppelin's packages are; return what it prints."""
    done = run_node_js("--input-type=module", "--eval", code, "--", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def trees(asked: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Ask OpenZeppelin's JavaScript about trees, all of them at once.

    Of `values` it makes a tree (`root`, `dump`, `proofs`); a `dump` of ours it loads (`loaded` is
    its root, `again` what it dumps itself); of `checks` it tells which proofs verify.
    """
    file = folder / "asked.json"
    file.write_text(json.dumps(asked), encoding="utf-8")
    found: list[dict[str, Any]] = _module(_TREE, str(file))
    return found


@cache
def _compiled() -> dict[str, Any]:
    """Compile the contract above with OpenZeppelin's library."""
    found: dict[str, Any] = _module(_COMPILE, _SOLIDITY)
    return found


def checker(node: Node) -> Contract:
    """Deploy a contract that does nothing but ask OpenZeppelin's MerkleProof."""
    compiled = _compiled()
    return deploy_code(node, bytes.fromhex(compiled["bytecode"][2:]), compiled["abi"])
