"""The program as a shell runs it: help, pipes, signals, terminals, exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from eth_account import Account

from bridge.cli import main
from tests.cli.conftest import KEY
from tests.cli.shell import PROGRAM, Shell, process, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(main))
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}
WITHOUT_LEDGER = {
    ("vectors",),
    ("demo",),
    ("check",),
    ("chain", "claim", "sign"),
    ("chain", "account", "sign"),
}


def examples() -> list[tuple[str, ...]]:
    """Return the words of every example in the help, in order."""
    found = []
    for command in LEAVES.values():
        lines = (command.epilog or "").splitlines()
        for line in lines[lines.index("Example:") + 1 :]:
            for one in line.split("&&"):
                program, *words = shlex.split(one)
                assert program == "evm-ledger"
                found.append(tuple(words))
    return found


def sealed_entry(shell: Shell) -> str:
    """Return the id of an entry that was just sealed."""
    id_ = str(shell.json("transfer", "alice", "bob", "1")["id"])
    shell.run("seal")
    return id_


def shown_group() -> str:
    """Return the file that `group --help` shows."""
    text = main.commands["group"].help or ""
    return text[text.index("{") : text.rindex("]}") + 2]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_teaches(path: tuple[str, ...], shell: Shell) -> None:
    shell.environment["COLUMNS"] = "80"
    said = shell.run(*path, "--help")
    assert [line for line in said.splitlines() if len(line) > 80] == []
    assert said == shell.run(*path, "-h")
    assert "\\" not in said  # click's marks are for click, not for people
    if path in LEAVES:
        assert "Example:\n    evm-ledger " in said
        assert "--json" in said
        assert ("--database" in said) is (path not in WITHOUT_LEDGER)


GROUPS = [(), *(path for path in ALL if path not in LEAVES)]


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_no_list_of_commands_is_cut_short(path: tuple[str, ...], shell: Shell) -> None:
    shell.environment["COLUMNS"] = "80"
    assert "..." not in shell.run(*path, "--help").partition("Commands:")[2]


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_an_example_is_a_command_line(words: tuple[str, ...]) -> None:
    context = main.make_context("evm-ledger", list(words))
    command: click.Command = main
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert name
        assert found
        context = found.make_context(name, rest, parent=context)
        command = found
    context.close()


def test_the_examples_work_in_order(shell: Shell, keystore: tuple[Path, Path, str]) -> None:
    vectors = Path(__file__).parents[1] / "data" / "vectors_v1.json"
    Path("vectors_v1.json").write_bytes(vectors.read_bytes())
    # A node, an old ledger, a server that goes on, its keys: tested there.
    elsewhere = {"chain", "demo", "import-legacy", "serve", "key"}
    late = [words for words in examples() if words[:2] == ("audit", "--expect-head")]
    early = [words for words in examples() if words[0] not in elsewhere and words not in late]
    early.sort(key=lambda words: words[:2] == ("asset", "create"))  # until then one asset suffices
    Path("order.json").write_text(shown_group(), encoding="utf-8")
    wallet = Account.from_key(KEY)
    for words in early:
        known: dict[str, Callable[[], str]] = {
            "$HOLD": lambda: shell.json("hold", "place", "alice", "8", "--to", "bob")["id"],
            "$ENTRY": lambda: shell.json("transfer", "alice", "bob", "1")["id"],
            "$ID": lambda: sealed_entry(shell),
            "$SEAL": lambda: shell.json("check", "proof.json")["anchors"][0]["seal_id"],
            "$ROOT": lambda: shell.json("check", "balance.json")["roots"][0],
            "$CURSOR": lambda: shell.json("changes", "--limit", "1")["cursor"],
            "$ADDRESS": lambda: wallet.address,
            "$PROOF": lambda: signed(shell, "carol", wallet),
        }
        shell.run(*(known[word]() if word in known else word for word in words))
    for words in late:
        shell.run(*(keystore[2] if word.startswith("0xf39F") else word for word in words))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frobnicate"], "no such command 'frobnicate'; see evm-ledger --help"),
        (["account", "frob"], "no such command 'frob'; see evm-ledger account --help"),
        (["--json", "supply"], "no such option '--json'"),
        (["supply", "--jsn"], "no such option '--jsn'. Did you mean '--json'?"),
        (["supply", "-x"], "(what starts with - and is no option comes after --)"),
        (["supply", "alice"], "got unexpected extra argument (alice)"),
        (["transfer", "alice"], "missing argument 'TO_ACCOUNT'; see evm-ledger transfer --help"),
        (["supply", "--asset"], "option '--asset' requires an argument"),
        (["chain", "verify", "--level", "4"], "4 is not in the range 1<=x<=3"),
        (["chain", "replay", "--give-up-after", "nan"], "nan is no number of seconds"),
    ],
)
def test_a_command_line_that_is_wrong(shell: Shell, words: list[str], says: str) -> None:
    assert says in shell.fails(*words)


def test_what_starts_with_a_dash_comes_after_two(stocked: Shell) -> None:
    stocked.run("account", "create", "--initial-balance", "0", "--", "-carol")
    assert stocked.run("transfer", "--", "alice", "-carol", "1").startswith(
        "1 SCI  alice -> -carol"
    )


# --- as processes ----------------------------------------------------------------------------


def test_exit_codes_and_streams_of_the_installed_program(folder: Path) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = process(*words, folder=folder, EVM_LEDGER_DATABASE="sqlite:///mine.db")
        return done.returncode, done.stdout, done.stderr

    code, said, complaint = run()
    assert (code, said) == (2, "")
    assert complaint.startswith("Usage: evm-ledger")
    assert run("supply") == (
        2, "", "error: mine.db does not exist; make it with `evm-ledger init`\n",
    )  # fmt: skip
    code, said, complaint = run("init", "--symbol", "SCI", "--json")
    assert (code, complaint) == (0, "")
    assert json.loads(said)["asset"]["symbol"] == "SCI"
    assert (folder / "mine.db").exists()
    assert run("supply") == (0, "0 SCI\n", "")
    assert run("balance", "alice", "--database", "sqlite:///other.db")[0] == 2


def test_the_default_is_a_file_in_the_folder(folder: Path) -> None:
    assert process("init", folder=folder).returncode == 0
    assert (folder / "ledger.db").exists()


def test_a_reader_that_leaves_early_is_no_news(stocked: Shell, folder: Path) -> None:
    for number in range(20):
        stocked.run("account", "create", f"agent-{number}", "--initial-balance", "0")
    line = f"{PROGRAM} account list --json --database {stocked.database}"
    script = f"{line} | head -1; {line} | true"
    done = subprocess.run(
        ["/bin/bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_a_pipe_that_is_closed_ends_the_program_quietly(stocked: Shell) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:  # noqa: PTH123 (a descriptor, no path)
        done = subprocess.run(
            [PROGRAM, "account", "list", "--database", stocked.database],
            stdout=closed, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


def interrupted(running: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C as people do: again, should Python have been where it could not hear it."""
    for _ in range(10):
        running.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return running.communicate(timeout=15)
    raise AssertionError("the program does not end")


def test_ctrl_c_ends_the_program_quietly(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = subprocess.Popen(
            [PROGRAM, "demo", "--rpc", url], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        connection, _ = silent.accept()  # from here on the program waits for an answer
        said, complaint = interrupted(running)
        connection.close()
    assert (running.returncode, said, complaint.strip()) == (130, "", "")


def test_a_command_waits_for_no_library_that_it_does_not_use() -> None:
    slow = "{'web3', 'eth_account', 'eth_abi', 'requests', 'alembic'}"
    script = f"import sys, bridge.cli; print({slow} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


ASCII = {
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "LC_ALL": "C",
    "PYTHONIOENCODING": "ascii",
}


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"LC_ALL": "C"}, "bo\u0308b \U0001f642"),
        (ASCII, "bo\\u0308b \\U0001f642"),
    ],
)
def test_a_terminal_that_cannot_encode_it(
    stocked: Shell, folder: Path, environment: dict[str, str], shown: str
) -> None:
    name = "bo\u0308b \U0001f642"
    stocked.run("mint", "bob", "1", "--reason", name)
    words = ["--database", stocked.database]
    done = process("statement", "bob", *words, folder=folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"{shown}\n")
    done = process("statement", "bob", *words, "--json", folder=folder, **environment)
    assert json.loads(done.stdout)[-1]["reason"] == name
    done = process("balance", name.encode().decode(), *words, folder=folder, **environment)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_bytes_that_are_no_text(stocked: Shell) -> None:
    done = subprocess.run(
        [PROGRAM, "balance", b"\xff\xfe", "--database", stocked.database],
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: INVALID_FIELD: account_id: ")
    assert done.stderr.count(b"\n") == 1
