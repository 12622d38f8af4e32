"""The committed artifacts are what the sources compile to, and nothing is left to chance."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ledger.addresses import DEPLOYMENT_PROXY
from ledger.formats import ACCOUNT_INIT_CODE_HASH, FACTORY
from ledger.model import Address, Hash32
from tests.contracts.chain import ARTIFACTS, artifact
from tests.support.nodes import CONTRACTS, run_node_js

NAMES = ("AccountFactory", "EntryProof", "LedgerAccount", "LedgerToken", "LedgerTokenDeferred")
SOURCES = sorted(CONTRACTS.glob("src/**/*.sol"))


def test_artifacts_are_what_the_sources_compile_to() -> None:
    result = run_node_js("compile.mjs", "--check")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_keys(name: str) -> None:
    document = artifact(name)
    assert list(document) == sorted(document)
    expected = {"abi", "bytecode", "compiler", "deployedBytecode", "immutableReferences", "name"}
    expected |= {"settings", "version"} | ({"initCodeHash"} if name == "LedgerAccount" else set())
    assert set(document) == expected
    assert document["compiler"].startswith("0.8.37+")


@pytest.mark.parametrize("name", NAMES)
def test_settings(name: str) -> None:
    settings = artifact(name)["settings"]
    assert settings["evmVersion"] == "paris"
    assert settings["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}


@pytest.mark.parametrize("name", NAMES)
def test_code_fits_a_chain(name: str) -> None:
    assert len(artifact(name)["deployedBytecode"]) // 2 <= 24_576  # EIP-170


def test_bytes_are_as_json_writes_them() -> None:
    for path in sorted(ARTIFACTS.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_the_ledger_knows_the_constants_of_the_formats() -> None:
    formats = artifact("formats")
    assert Address.parse(formats["factory"]) == FACTORY
    assert Hash32.parse(formats["initCodeHash"]) == ACCOUNT_INIT_CODE_HASH
    assert Address.parse(formats["deploymentProxy"]) == DEPLOYMENT_PROXY


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_sources(path: Any) -> None:  # noqa: ANN401 (pytest's)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n")
    assert max(map(len, text.splitlines())) <= 150


@pytest.mark.parametrize("name", ["AccountFactory", "LedgerAccount"])
def test_the_formats_contracts_import_nothing_of_others(name: str) -> None:
    text = (CONTRACTS / "src" / f"{name}.sol").read_text(encoding="utf-8")
    imports = re.findall(r"^import .*$", text, re.MULTILINE)
    own = ['import {LedgerAccount} from "./LedgerAccount.sol";']
    assert imports == (own if name == "AccountFactory" else [])
    assert not re.search(r"\b(delegatecall|selfdestruct|tx\.origin)\b", re.sub(r"//.*", "", text))


def test_the_lock_works_on_every_platform() -> None:
    lock = json.loads((CONTRACTS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    missing = {
        name
        for package in lock.values()
        for name in package.get("optionalDependencies", {})
        if f"node_modules/{name}" not in lock
    }
    assert missing == set()
    assert [name for name, package in lock.items() if "resolved" in package] == []
