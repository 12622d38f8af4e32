"""Random histories from the command line: a dry run says what the real one then does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.shell import Shell

ACCOUNTS = ["alice", "bob", "car l", "d'ave"]
AMOUNTS = ["1", "2.5", "0.01", "1000", "300", "7"]


class Typist:
    """Types commands that could be meant, of what has been made so far."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.holds: list[str] = []
        self.entries: list[str] = []

    def words(self) -> list[str]:
        choose = self.random.choice
        account, other, amount = choose(ACCOUNTS), choose([*ACCOUNTS, "system"]), choose(AMOUNTS)
        asset = ["--asset", choose("AB")]
        part, to = self.maybe("--amount", amount), self.maybe("--to", other)
        lines = [
            ["transfer", account, other, amount, *asset],
            ["mint", account, amount, *asset],
            ["hold", "place", account, amount, *asset, *to],
            ["account", choose(["freeze", "close", "reopen", "reopen"]), account],
            ["account", "limit", account, "--max-debit", choose(["any", amount]),
             "--max-balance", choose(["any", "2000"]), *asset],
            ["group", self.file()],
        ]  # fmt: skip
        for hold in self.some(self.holds):
            lines += [
                ["hold", "post", hold, *part, *to, *self.maybe("--keep-rest")],
                ["hold", "void", hold],
            ]
        for entry in self.some(self.entries):
            lines += [["reverse", entry, *part], ["reverse", entry, "--group"]]
        return choose(lines)

    def maybe(self, *words: str) -> list[str]:
        return list(words) if self.random.random() < 0.5 else []

    def some(self, ids: list[str]) -> list[str]:
        return [self.random.choice(ids)] if ids else []

    def file(self) -> str:
        choose = self.random.choice
        movements = [
            {"from_account": choose(ACCOUNTS), "to_account": choose(ACCOUNTS),
             "amount": choose(["1", "2", "0.5"]), "asset": choose("AB")}
            for _ in range(self.random.randint(1, 3))
        ]  # fmt: skip
        Path("group.json").write_text(json.dumps({"movements": movements}), encoding="utf-8")
        return "group.json"

    def learn(self, made: dict[str, Any]) -> None:
        for it in objects(made):
            if "head" in it:
                self.entries.append(it["id"])
            elif "remaining" in it:
                self.holds.append(it["id"])


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Return every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for it in value.values() if isinstance(value, dict) else value:
            yield from objects(it)


@pytest.mark.parametrize("seed", range(2))
def test_a_dry_run_says_what_the_real_one_does(any_shell: Shell, seed: int) -> None:
    any_shell.run("init", "--symbol", "A", "--decimals", "2")
    any_shell.run("asset", "create", "B", "--decimals", "0")
    for name in ACCOUNTS:
        any_shell.run("account", "create", name, "--asset", "A")
    typist, done = Typist(seed), 0
    for _ in range(80):
        words = typist.words()
        would_code, would, dry_complaint = any_shell.invoke(*words, "--dry-run", "--json")
        code, made, complaint = any_shell.invoke(*words, "--json")
        assert (would_code, dry_complaint) == (code, complaint), words
        if code == 0:
            done += 1
            typist.learn(json.loads(made))
            assert likened(json.loads(would)) == likened(json.loads(made)), words
        else:
            assert code == 2
            assert complaint.startswith("error: ")
            assert complaint.count("\n") == 1
    assert done > 20
    assert any_shell.json("audit")["ok"]


TIMED = {"dry_run", "id", "head", "group", "time", "timestamp", "created_at", "updated_at"}


def likened(value: object) -> object:
    """Return `value` without what depends on the moment at which it was made."""
    if isinstance(value, dict):
        return {name: likened(it) for name, it in value.items() if name not in TIMED}
    return [likened(it) for it in value] if isinstance(value, list) else value
