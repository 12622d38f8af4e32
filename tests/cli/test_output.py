"""Output that cannot be written: what was done is said all the same, and is done once."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

from bridge.cli import main
from tests.cli.shell import PROGRAM, Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.nodes import Node

    Lose = Callable[[], AbstractContextManager[TextIO | None]]
    Keystore = tuple[Path, Path, str]


@contextmanager
def full() -> Iterator[TextIO]:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        yield stream


@contextmanager
def closed() -> Iterator[None]:
    yield None  # what Python has for a standard stream that the shell closed


@contextmanager
def gone() -> Iterator[TextIO]:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 (a descriptor, no path)
        yield stream


WAYS: dict[Lose, str] = {
    full: "No space left on device",
    closed: "Bad file descriptor",
    gone: "Broken pipe",
}

LOSING = pytest.mark.parametrize("lose", WAYS, ids=lambda lose: lose.__name__)
FORMS = pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])


class Blind:
    """A shell whose output nobody sees."""

    def __init__(
        self,
        shell: Shell,
        lose: Lose,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self._database = ["--database", shell.database]
        self._lose = lose
        self._capsys = capsys

    def run(self, *words: object) -> tuple[object, str]:
        """Return the exit code and the complaint."""
        words = (*words, *([] if words[0] == "vectors" else self._database))
        with (
            self._lose() as stream,
            redirect_stdout(stream),
            pytest.raises(SystemExit) as end,
        ):
            main.main([str(word) for word in words], "evm-ledger")
        return end.value.code, self._capsys.readouterr().err

    def loses(self, *words: object) -> str:
        """Return what the command did, which it must say in a line, and end with 3."""
        code, complaint = self.run(*words)
        end = f"; do not run it again, only its output is lost ({WAYS[self._lose]})\n"
        assert (code, complaint.count("\n")) == (3, 1), complaint
        assert complaint.endswith(end), complaint
        return complaint.removesuffix(end)


ID = "0x[0-9a-f]{64}"
ADDRESS = "0x[0-9a-fA-F]{40}"

PAIR = json.dumps(
    {"movements": [{"from_account": "alice", "to_account": "bob", "amount": "1"}] * 2}
).encode()
"""A group, from standard input."""

CHANGING: list[tuple[list[str], str, int]] = [
    (["transfer", "alice", "bob", "1"], f"posted: seq 3 id {ID}", 1),
    (["transfer", "alice", "bob", "1", "--key", "k"], f"posted: seq 3 id {ID}", 1),
    (["mint", "alice", "1"], f"posted: seq 3 id {ID}", 1),
    (["burn", "alice", "1"], f"posted: seq 3 id {ID}", 1),
    (["account", "create", "carol"], f"created: account carol address {ADDRESS}", 1),
    (["group", "-"], f"posted: group {ID} of 2 entries", 2),
    (["hold", "place", "alice", "1", "--to", "bob"], f"held: id {ID}", 0),
    (["account", "freeze", "alice"], "account alice is frozen", 0),
    (
        ["account", "limit", "bob", "--max-debit", "any", "--max-balance", "9"],
        "limited: account bob: debits of any size, balance of at most 9 SCI",
        0,
    ),
    (["asset", "create", "GOLD"], f"created: asset GOLD, 18 decimals, id {ID}", 0),
    (["seal"], f"sealed: up to seal 1 {ID} 2 entries in 1 batch", 0),
    (["export", "out", "--secrets", "s"], r"written: out: 0 entries, 3 accounts, .*", 0),
]


@FORMS
@LOSING
@pytest.mark.parametrize(("words", "says", "entries"), CHANGING, ids=lambda it: str(it)[:30])
def test_what_was_done_is_said(
    stocked: Shell, capsys: pytest.CaptureFixture[str], *, lose: Lose, form: list[str],
    words: list[str], says: str, entries: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    before = stocked.json("audit")
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(PAIR)))
    said = Blind(stocked, lose, capsys).loses(*words, *form)
    assert re.fullmatch(says, said), said
    after = stocked.json("audit")
    assert (after["ok"], after["entries"] - before["entries"]) == (True, entries)


@LOSING
def test_a_retry_with_its_key_posts_nothing(
    stocked: Shell, capsys: pytest.CaptureFixture[str], lose: Lose
) -> None:
    blind = Blind(stocked, lose, capsys)
    words = ["transfer", "alice", "bob", "1", "--key", "k"]
    first, second = blind.loses(*words), blind.loses(*words)
    assert second == f"already {first}"
    assert stocked.run("balance", "bob") == "6 SCI\n"


@FORMS
@LOSING
def test_what_was_done_to_holds_and_entries_is_said(
    stocked: Shell, capsys: pytest.CaptureFixture[str], lose: Lose, form: list[str]
) -> None:
    blind = Blind(stocked, lose, capsys)
    first, second = (
        stocked.json("hold", "place", "alice", "1", "--to", "bob")["id"] for _ in range(2)
    )
    said = blind.loses("hold", "post", first, *form)
    assert re.fullmatch(f"posted: seq 3 id {ID}", said), said
    assert blind.loses("hold", "void", second, *form) == f"voided: id {second}"
    paid = stocked.json("statement", "bob")[-1]["id"]
    said = blind.loses("reverse", paid, *form)
    assert re.fullmatch(f"posted: seq 4 id {ID}", said), said


@FORMS
@LOSING
def test_a_dry_run_is_nothing_that_was_done(
    stocked: Shell, capsys: pytest.CaptureFixture[str], lose: Lose, form: list[str]
) -> None:
    before = stocked.json("audit")
    expected = (
        (141, "") if lose is gone else (2, f"error: the output cannot be written ({WAYS[lose]})\n")
    )
    words = ["transfer", "alice", "bob", "1", "--dry-run", *form]
    assert Blind(stocked, lose, capsys).run(*words) == expected
    assert stocked.json("audit") == before


@FORMS
@LOSING
def test_a_ledger_that_was_made_is_said(
    shell: Shell, capsys: pytest.CaptureFixture[str], lose: Lose, form: list[str]
) -> None:
    said = Blind(shell, lose, capsys).loses("init", "--symbol", "SCI", *form)
    assert re.fullmatch(f"made: ledger {ID} with asset SCI, 18 decimals, id {ID}", said), said
    assert shell.run("supply") == "0 SCI\n"


@FORMS
@LOSING
def test_evidence_and_copies_that_were_made_are_said(
    stocked: Shell, capsys: pytest.CaptureFixture[str], lose: Lose, form: list[str],
    keystore: Keystore,
) -> None:  # fmt: skip
    stocked.run("seal")
    blind = Blind(stocked, lose, capsys)
    sign = ["--keystore", keystore[0], "--password-file", keystore[1]]
    assert blind.loses("checkpoint", "seal.json", *sign, *form).startswith("written: seal.json: ")
    stocked.run("audit", "--expect-head", "seal.json", "--signer", keystore[2])
    stocked.run("export", "out")
    copy = Shell("sqlite:///copy.db")
    said = Blind(copy, lose, capsys).loses("import", "out", *form)
    assert said == "imported: 2 entries of 1 asset"
    assert copy.json("audit") == stocked.json("audit")


@FORMS
def test_what_was_sent_is_said(
    stocked: Shell, capsys: pytest.CaptureFixture[str], form: list[str], anvil: Node
) -> None:
    stocked.run("seal")
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    blind, rpc = Blind(stocked, full, capsys), ["--rpc", anvil.url, *form]
    said = blind.loses("chain", "deploy", *rpc)
    assert re.fullmatch(f"deployed: AccountFactory {ADDRESS}, SCI {ADDRESS}", said), said
    said = blind.loses("chain", "replay", *rpc)
    assert said.startswith("replayed: sent 1 batch with 2 entries to chain 31337"), said
    assert blind.run("chain", "verify", *rpc)[0] == 2
    assert stocked.run("chain", "verify").startswith("agree: ")


READING = [
    ["supply"], ["balance", "alice"], ["statement", "alice"], ["account", "list"],
    ["account", "show", "alice"], ["asset", "list"], ["audit"], ["hold", "list"],
    ["account", "link-message", "carol", "0x" + "11" * 20, "--scheme", "eip191"],
    ["statement", "alice", "--limit", "1"], ["balance", "alice", "--at", "1"],
    ["supply", "--window", "1h"], ["changes"],
]  # fmt: skip


@FORMS
@LOSING
@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_only_reads_can_run_again(
    stocked: Shell, capsys: pytest.CaptureFixture[str], lose: Lose, form: list[str],
    words: list[str],
) -> None:  # fmt: skip
    complaint = f"error: the output cannot be written ({WAYS[lose]})\n"
    expected = (141, "") if lose is gone else (2, complaint)
    assert Blind(stocked, lose, capsys).run(*words, *form) == expected


# --- as processes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "redirected", "code"),
    [
        ("transfer alice bob 1", ">/dev/full", 3),
        ("transfer alice bob 1", ">&-", 3),
        ("transfer alice bob 1", ">/dev/full 2>/dev/full", 3),
        ("transfer alice bob 1 --json", ">&- 2>&-", 3),
        ("transfer alice bob 1", "> >(exec true)", 3),
        ("supply", ">/dev/full", 2),
        ("supply", ">&-", 2),
        ("supply", "2>&-", 0),
        ("--help", ">/dev/full", 2),
        ("seal --help", "> >(exec true)", 141),
        ("frobnicate", "2>/dev/full", 2),
        ("", "2>&-", 2),
    ],
)
def test_the_exit_code_is_true_to_the_end(
    stocked: Shell, words: str, redirected: str, code: int
) -> None:
    """Python's own end included, which would make it 120 where something is left to write."""
    script = f"{PROGRAM} {words} {redirected}"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env={**buffered, "EVM_LEDGER_DATABASE": stocked.database},
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert stocked.run("supply") == "1005 SCI\n"
    assert stocked.run("balance", "bob") == ("6 SCI\n" if code == 3 else "5 SCI\n")
