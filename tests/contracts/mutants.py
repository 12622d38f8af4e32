"""Faults planted in the contracts, each of which a test of `contracts/test` must find.

`make mutants` compiles a copy with one fault at a time and runs forge on it: a fault that no test
finds means that the tests prove less than they say.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from tests.contracts.forge import run_forge
from tests.support.nodes import CONTRACTS, run_node_js

_CONSTANT: Final = re.compile(r"Digests\.sol: (\w+) must be (0x\w+)")


class Mutant(NamedTuple):
    """One fault: what it does, the test that is there to find it, and what is changed where."""

    about: str
    found_by: str
    path: str
    old: str
    new: str


TOKEN: Final = "LedgerToken.sol"
PAYLOAD: Final = "libraries/PayloadV1.sol"
MIRROR: Final = "invariant_nothingButReplayBeforeFinalize"
LIVE: Final = "invariant_nothingOfTheOperatorAfterFinalize"
SUPPLY: Final = "invariant_supplyNeverWraps"
HISTORY: Final = "invariant_historyMovesOnlyByReplay"
CLAIM: Final = "invariant_aClaimTouchesOnlyItsOwnAddress"
MODEL: Final = "invariant_replayIsAllOrNothing"
THEIRS: Final = "invariant_everybodyMovesOnlyWhatIsTheirs"
ONCE: Final = "invariant_aSignatureServesOnce"
BYTES: Final = "testFuzz_onlyTheOneEncodingIsTaken"

MUTANTS: Final = (
    Mutant(
        "transfer while the token mirrors",
        MIRROR,
        TOKEN,
        "function transfer(address to, uint256 amount) public override onlyLive",
        "function transfer(address to, uint256 amount) public override",
    ),
    Mutant(
        "approve while the token mirrors",
        MIRROR,
        TOKEN,
        "function approve(address spender, uint256 amount) public override onlyLive",
        "function approve(address spender, uint256 amount) public override",
    ),
    Mutant(
        "claim while the token mirrors",
        MIRROR,
        TOKEN,
        "        external\n        onlyLive\n        returns (uint256 amount)",
        "        external\n        returns (uint256 amount)",
    ),
    Mutant(
        "the operator stays after finalize", LIVE, TOKEN, "        operator = address(0);\n", ""
    ),
    Mutant(
        "an offer of the operator's part survives finalize",
        LIVE,
        TOKEN,
        "        live = true;\n        pendingOperator = address(0);\n",
        "        live = true;\n",
    ),
    Mutant(
        "anybody takes the operator's part",
        LIVE,
        TOKEN,
        "if (msg.sender != pendingOperator) revert NotPendingOperator(msg.sender);",
        "",
    ),
    Mutant(
        "anybody is the operator",
        LIVE,
        TOKEN,
        "if (msg.sender != operator) revert NotOperator(msg.sender);",
        "",
    ),
    Mutant(
        "the phase of the token is not looked at",
        LIVE,
        TOKEN,
        "if (live) revert OnlyMirror();",
        "",
    ),
    Mutant(
        "an offer changes the head",
        HISTORY,
        TOKEN,
        "        pendingOperator = newOperator;\n",
        "        pendingOperator = newOperator;\n        head = bytes32(0);\n",
    ),
    Mutant("a batch forgets the head before it", HISTORY, TOKEN, "prevHead: head,", "prevHead: 0,"),
    Mutant(
        "finalize of another history",
        MODEL,
        TOKEN,
        "        if (expectedHistory != history) revert StaleHistory(history, expectedHistory);\n",
        "        expectedHistory;\n",
    ),
    Mutant(
        "an entry is replayed twice",
        MODEL,
        TOKEN,
        "        if (prevHistory != history) revert StaleHistory(history, prevHistory);\n",
        "        prevHistory;\n",
    ),
    Mutant(
        "the issuer's room is always the whole",
        SUPPLY,
        TOKEN,
        "table[1] = type(uint256).max - totalSupply();",
        "table[1] = type(uint256).max;",
    ),
    Mutant(
        "the supply is not written",
        "invariant_supplyIsTheSumOfBalances",
        TOKEN,
        "            sstore(TOTAL_SUPPLY_SLOT, supply)\n",
        "            pop(supply)\n",
    ),
    Mutant(
        "a claim takes the registrar's own tokens",
        CLAIM,
        TOKEN,
        "_transfer(account, wallet, amount);",
        "_transfer(registrar, wallet, balanceOf(registrar));",
    ),
    Mutant(
        "a claim goes to its sender",
        CLAIM,
        TOKEN,
        "_transfer(account, wallet, amount);",
        "_transfer(account, msg.sender, amount);",
    ),
    Mutant("a claim serves twice", ONCE, TOKEN, "        ++claimNonces[account];\n", ""),
    Mutant(
        "a claim needs no signature",
        MODEL,
        TOKEN,
        "if (!Signatures.isSignedBy(registrar, digest, signature)) revert"
        " InvalidSignature(registrar);",
        "(digest, signature);",
    ),
    Mutant(
        "a claim of a deployed account",
        "test_aClaimEndsWhereTheAccountBegins",
        TOKEN,
        "        if (account.code.length != 0) revert AccountDeployed(account);\n",
        "",
    ),
    Mutant(
        "a claim holds for ever",
        "testFuzz_deadlines",
        TOKEN,
        "        if (block.timestamp > deadline) revert ClaimExpired(deadline);\n",
        "",
    ),
    Mutant(
        "no overdraft is seen",
        SUPPLY,
        PAYLOAD,
        "if gt(amount, div(held, unit)) { break }",
        "",
    ),
    Mutant(
        "an overdraft by the scale is not seen",
        BYTES,
        PAYLOAD,
        "if gt(amount, div(held, unit)) { break }",
        "if gt(amount, held) { break }",
    ),
    Mutant(
        "a payload may end late",
        BYTES,
        PAYLOAD,
        "if (position != payload.length) revert",
        "if (position > payload.length) revert",
    ),
    Mutant(
        "the table may have any order",
        BYTES,
        PAYLOAD,
        "if iszero(gt(account, previous)) { break }",
        "if iszero(account) { break }",
    ),
    Mutant(
        "a mantissa may begin with zero",
        BYTES,
        PAYLOAD,
        "or(gt(shift, 248), lt(digits, shl(248, gt(length, 1))))",
        "gt(shift, 248)",
    ),
    Mutant(
        "the scale may be any",
        BYTES,
        PAYLOAD,
        "if iszero(remainders) { remainders := mod(amount, 10) }",
        "remainders := 1",
    ),
    Mutant(
        "an address may be in the table for nothing",
        BYTES,
        TOKEN,
        "if iszero(byte(0, account)) {",
        "if iszero(account) {",
    ),
    Mutant(
        "the other form of a signature",
        "testFuzz_noOtherBytesSignAClaim",
        "libraries/Signatures.sol",
        "if (uint256(s) > MAX_S || (v != 27 && v != 28)) return false;",
        "if (v != 27 && v != 28) return false;",
    ),
    Mutant(
        "anybody executes",
        THEIRS,
        "LedgerAccount.sol",
        "        payable\n        onlyOwner\n",
        "        payable\n",
    ),
    Mutant(
        "a deployment needs no signature",
        MODEL,
        "AccountFactory.sol",
        "if (!_isSignedBy(registrar, digest, signature)) revert InvalidSignature(registrar);",
        "_isSignedBy(registrar, digest, signature);",
    ),
    Mutant(
        "a deployment serves on every chain",
        "testFuzz_aDeploymentServesOneChain",
        "AccountFactory.sol",
        "abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this))",
        "abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, uint256(31337), address(this))",
    ),
)


def plant(mutant: Mutant, folder: Path) -> Path:
    """Copy the contracts into `folder`, plant the fault, compile; return the copy of contracts/."""
    copy = folder / "contracts"
    ignored = shutil.ignore_patterns("node_modules")
    shutil.copytree(CONTRACTS, copy, ignore=ignored)
    (copy / "node_modules").symlink_to(CONTRACTS / "node_modules")
    shutil.copytree(CONTRACTS.parent / "bridge" / "artifacts", folder / "bridge" / "artifacts")
    source = copy / "src" / mutant.path
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    compile_copy(copy)
    return copy


def compile_copy(copy: Path) -> None:
    """Write the artifacts; the token's constants follow a factory and an account that changed."""
    while (result := run_node_js(copy / "compile.mjs")).returncode != 0:
        found = _CONSTANT.search(result.stderr)
        if found is None:
            raise RuntimeError(result.stderr)
        digests = copy / "src" / "libraries" / "Digests.sol"
        text = digests.read_text(encoding="utf-8")
        constant = rf"(constant {found[1]} =) \w+;"
        digests.write_text(re.sub(constant, rf"\1 {found[2]};", text), encoding="utf-8")


def failures(copy: Path) -> set[str]:
    """Return the names of the tests that fail on a copy."""
    result = run_forge("test", "--json", folder=copy)
    suites = json.loads(result.stdout)
    answers = [answer for suite in suites.values() for answer in suite["test_results"].items()]
    return {name.partition("(")[0] for name, answer in answers if answer["status"] != "Success"}


def main() -> int:
    """Plant each fault and say who found it; 1 if one was not found by the test named for it.

    Words on the command line choose the faults that have one of them in what they are about.
    """
    missed = 0
    words = sys.argv[1:] or [""]
    for mutant in (it for it in MUTANTS if any(word in it.about for word in words)):
        with tempfile.TemporaryDirectory() as name:
            found = failures(plant(mutant, Path(name)))
        missed += mutant.found_by not in found
        word = "found" if mutant.found_by in found else "MISSED"
        others = ", ".join(sorted(found - {mutant.found_by}))
        sys.stdout.write(f"{word}: {mutant.about}: {mutant.found_by} (also {others})\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
