"""Whatever somebody types, the answer is a result or one line: never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cli import main
from tests.cli.conftest import stock
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

# What an argument of a process can hold: anything but NUL; bytes that are no UTF-8 come as
# surrogates of U+DC80 .. U+DCFF.
CHARACTERS = st.characters(exclude_characters="\x00", exclude_categories=["Cs"]) | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF
)
ANYTHING = st.text(CHARACTERS, max_size=300)
KNOWN = st.sampled_from(
    [
        "alice",
        "bob",
        "system",
        "SCI",
        "1",
        "0.5",
        "-1",
        "--",
        "--json",
        "--asset",
        "--key",
        "--memo",
    ]
)
WORD = ANYTHING | KNOWN
HEAD = st.builds(
    "{}:{}:0x{}".format,
    ANYTHING | st.just("SCI"),
    st.integers() | ANYTHING,
    st.text("0123456789abcdefF", max_size=70) | ANYTHING,
)
ID = st.builds("0x{}".format, st.text("0123456789abcdefF", min_size=63, max_size=65))
STANDING = st.sampled_from(["freeze", "close", "reopen"])
FILTER = st.sampled_from(
    ["--until", "--reason-prefix", "--reference-type", "--counterparty", "--limit", "--cursor"]
)
LINES = (
    st.builds(lambda a, b, c: ["transfer", a, b, c], WORD, WORD, WORD)
    | st.builds(lambda words: ["transfer", *words], st.lists(WORD, max_size=8))
    | st.builds(lambda a: ["account", "create", a], WORD)
    | st.builds(lambda a, b: ["account", "create", a, "--initial-balance", b], WORD, WORD)
    | st.builds(lambda a: ["balance", a], WORD)
    | st.builds(lambda a: ["statement", "alice", "--since", a], WORD)
    | st.builds(lambda a, b: ["statement", "alice", a, b], FILTER, WORD)
    | st.builds(lambda a: ["balance", "alice", "--at", a], WORD)
    | st.builds(lambda a, b, c: ["hold", "place", a, b, "--to", c], WORD, WORD, WORD)
    | st.builds(lambda a: ["hold", "place", "alice", "1", "--expires-in", a], WORD)
    | st.builds(lambda a: ["hold", "place", "alice", "1", "--expires-at", a], WORD)
    | st.builds(lambda a, b: ["hold", a, b], st.sampled_from(["post", "void", "show"]), WORD | ID)
    | st.builds(lambda a, b: ["hold", "list", "--account", a, "--state", b], WORD, WORD)
    | st.builds(lambda a, b: ["reverse", a, "--amount", b], WORD | ID, WORD)
    | st.builds(lambda a: ["group", a], WORD.filter(lambda word: word != "-"))
    | st.builds(lambda a, b: ["account", a, b], STANDING, WORD)
    | st.builds(
        lambda a, b: ["account", "limit", "bob", "--max-debit", a, "--max-balance", b], WORD, WORD
    )
    | st.builds(lambda a, b: ["account", "create", a, "--by-operator", "--address", b], WORD, WORD)
    | st.builds(lambda a, b: ["account", "link-message", a, b], WORD, WORD)
    | st.builds(lambda a: ["account", "list", "--prefix", a], WORD)
    | st.builds(lambda a, b: ["supply", "--window", a, "--top", b], WORD, WORD)
    | st.builds(lambda a, b: ["changes", "--after", a, "--limit", b], WORD, WORD)
    | st.builds(lambda a: ["audit", "--expect-head", a], WORD | HEAD)
    | st.builds(lambda a: ["supply", "--database", a], WORD)
    | st.builds(lambda a: ["supply", "--database", f"sqlite:///{a}"], WORD)
    | st.builds(lambda a: ["supply", "--database", f"postgresql://127.0.0.1:1/{a}"], WORD)
    | st.builds(lambda a: ["chain", "verify", "--rpc", a], WORD)
    | st.builds(lambda a: ["vectors", a], WORD)
    | st.lists(WORD | st.sampled_from(list(main.commands)), max_size=5).filter(
        lambda words: not {"demo", "chain", "export", "import", "init"} & set(words)
    )
)


@pytest.fixture(scope="module")
def busy_shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder: Path = tmp_path_factory.mktemp("anything")
    return stock(Shell(f"sqlite:///{folder}/ledger.db"))


@settings(max_examples=250)
@given(LINES)
def test_no_command_line_ends_in_a_traceback(busy_shell: Shell, words: list[str]) -> None:
    environment = {"EVM_LEDGER_DATABASE": busy_shell.database}
    found = CliRunner().invoke(main, words, env=environment, catch_exceptions=False)
    assert found.exit_code in {0, 1, 2}
    if found.exit_code == 2 and words and not found.stderr.startswith("Usage: "):
        assert found.stderr.startswith("error: ")
        assert found.stderr.count("\n") == 1
