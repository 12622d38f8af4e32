"""What the tests of the command line share: a shell, in a folder of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from eth_account import Account
from eth_typing import HexStr

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0x" + "4c" * 32
PASSWORD = "correct horse"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(folder: Path, sqlite_url: str) -> Shell:
    """Return a shell on a SQLite file that is not there yet."""
    del folder  # commands run there
    return Shell(sqlite_url)


@pytest.fixture
def any_shell(folder: Path, database_url: str) -> Shell:
    """Return a shell on each kind of database in turn."""
    del folder  # commands run there
    return Shell(database_url)


@pytest.fixture
def stocked(shell: Shell) -> Shell:
    """Return a shell on a ledger with an asset, alice (1,000) and bob (5)."""
    return stock(shell)


@pytest.fixture
def any_stocked(any_shell: Shell) -> Shell:
    """Return the same on each kind of database in turn."""
    return stock(any_shell)


def stock(shell: Shell) -> Shell:
    """Make a small ledger."""
    shell.run("init", "--symbol", "SCI", "--name", "SCI token")
    shell.run("account", "create", "alice")
    shell.run("account", "create", "bob", "--initial-balance", "5")
    return shell


@pytest.fixture
def keystore(folder: Path) -> tuple[Path, Path, str]:
    """Return a keystore file, the file of its password, and its address."""
    file, password = folder / "key.json", folder / "password"
    document = Account.encrypt(HexStr(KEY), PASSWORD, kdf="scrypt", iterations=2)
    file.write_text(json.dumps(document), encoding="utf-8")
    password.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return file, password, str(Account.from_key(KEY).address)
