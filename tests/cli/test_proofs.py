"""Proofs as commands: what they write and say, and that `check` needs nothing but the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.shell import Shell, process

if TYPE_CHECKING:
    from tests.support.nodes import Node

Keystore = tuple[Path, Path, str]
NOTHING = "0x" + "00" * 32
STRANGER = "0x" + "12" * 20


@pytest.fixture
def proved(stocked: Shell) -> Shell:
    """Return a shell on a ledger of two seals, and a proof of each kind in its folder."""
    return prove(stocked)


def prove(shell: Shell) -> Shell:
    """Seal twice, and write a proof of each kind."""
    shell.run("seal")
    id_ = shell.json("transfer", "alice", "bob", "2.5", "--reason", "tip", "--memo", "well done")[
        "id"
    ]
    shell.run("seal")
    shell.run("prove", "entry", id_, "entry.json", "--open-accounts")
    shell.run("prove", "balance", "bob", "balance.json", "--tree", "balances.json")
    shell.run("prove", "consistency", "growth.json", "--from-seal", "1")
    return shell


def nowhere() -> Shell:
    """Return a shell without a database."""
    return Shell("sqlite:///nowhere.db")


def test_an_entry_is_proved_on_each_database(any_stocked: Shell) -> None:
    shell = prove(any_stocked)
    said = nowhere().run("check", "entry.json")
    first, *rest = said.splitlines()
    assert first.startswith("entry 3 of SCI: 2.5 SCI from alice (0x")
    assert ") to bob (0x" in first
    assert rest[:2] == ["  reason    tip", "  memo      well done"]
    assert rest[-1].startswith("compare root, batch or seal")
    assert shell.json("check", "entry.json")["anchors"][0]["seal"] == 2


def test_a_balance_is_proved(proved: Shell) -> None:
    said = nowhere().run("check", "balance.json")
    assert " had 7.5 SCI after entry 3, as token 0x" in said
    assert said.endswith("compare the root with what you know from elsewhere: no seal has it\n")
    tree = json.loads(Path("balances.json").read_text(encoding="utf-8"))
    found = nowhere().json("check", "balance.json", "--expect-root", tree["tree"][0])
    assert (found["ok"], found["compared"], found["balance"]) == (True, True, str(75 * 10**17))
    again = proved.json(
        "prove", "balance", "alice", "alice.json", "--chain-id", "1", "--token", STRANGER
    )
    assert (again["chain_id"], again["token"].lower()) == ("1", STRANGER)


def test_all_balances_are_recomputed(proved: Shell) -> None:
    root = proved.json("check", "balance.json")["roots"][0]
    said = nowhere().run("check", "balances.json")
    assert said.startswith(f"2 accounts with {1005 * 10**18} base units together, each once, as ")
    assert said.endswith("no seal has it\n")
    found = nowhere().json("check", "balances.json", "--expect-root", root)
    assert (found["compared"], found["total"]) == (True, str(1005 * 10**18))
    assert "the root is 0x" in nowhere().run(
        "check", "balances.json", "--expect-root", NOTHING, code=1
    )
    text = Path("balances.json").read_text(encoding="utf-8")
    Path("balances.json").write_text(text.replace('"9975', '"8975'), encoding="utf-8")
    assert "the tree is another" in nowhere().run("check", "balances.json", code=1)


def test_growth_is_proved(proved: Shell) -> None:
    del proved
    said = nowhere().run("check", "growth.json")
    assert said.startswith("SCI: the 3 entries begin with the same 2 as before\n")
    found = nowhere().json("check", "growth.json")
    assert (found["old_seq"], found["seq"], found["compared"]) == (2, 3, False)
    for anchor, root in zip(found["anchors"], found["roots"], strict=True):
        words = ("--expect-seal", anchor["seal_id"], "--expect-root", root)
        assert nowhere().json("check", "growth.json", *words)["compared"] is True


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--expect-seal", NOTHING), "the seal is 0x"),
        (("--expect-root", NOTHING), "the root is 0x"),
        (("--signer", STRANGER), "who signed seal 2 is nobody"),
    ],
)
@pytest.mark.parametrize("file", ["entry.json", "balance.json"])
def test_what_is_expected_and_not_found(
    proved: Shell, file: str, words: tuple[str, ...], says: str
) -> None:
    del proved
    assert nowhere().run("check", file, *words, code=1).startswith(f"DOES NOT HOLD: {says}")
    found = nowhere().json("check", file, *words, code=1)
    assert found.keys() == {"ok", "what", "computed", "stated"}
    assert found["ok"] is False


def test_a_known_seal_says_nothing_of_a_balance(proved: Shell) -> None:
    del proved
    seal = nowhere().json("check", "balance.json")["anchors"][0]["seal_id"]
    for words in ((), ("--expect-seal", seal)):
        assert nowhere().json("check", "balance.json", *words)["compared"] is False
        assert "no seal has it" in nowhere().run("check", "balance.json", *words)
    assert nowhere().json("check", "entry.json", "--expect-seal", seal)["compared"] is True


def test_an_altered_proof(proved: Shell) -> None:
    del proved
    text = Path("entry.json").read_text(encoding="utf-8")
    Path("entry.json").write_text(text.replace('"2500', '"9500'), encoding="utf-8")
    assert "the entry's id is 0x" in nowhere().run("check", "entry.json", code=1)
    Path("entry.json").write_text(text + "\n", encoding="utf-8")
    assert "is not written as this program writes it" in nowhere().fails("check", "entry.json")


def test_no_word_of_a_ledger_makes_a_line_of_its_own(stocked: Shell) -> None:
    stocked.run("seal")
    forged = f"x\n  seal    {NOTHING} (number 9), signed by {STRANGER}\x1b[2K"
    entry = ("mint", "bob", "1", "--reason", forged, "--memo", forged, "--reference-id", forged)
    id_ = stocked.json(*entry)["id"]
    stocked.run("seal")
    stocked.run("prove", "entry", id_, "entry.json")
    said = nowhere().run("check", "entry.json")
    seals = [line for line in said.splitlines() if line.startswith("  seal")]
    assert len(seals) == 1
    assert STRANGER not in seals[0]
    assert "\x1b" not in said


def test_what_stays_private(proved: Shell) -> None:
    id_ = proved.json("statement", "alice")[-1]["id"]
    proved.run("prove", "entry", id_, "private.json", "--private")
    text = Path("private.json").read_text(encoding="utf-8")
    assert not {word for word in ("tip", "well done", "alice", "bob") if word in text}
    assert nowhere().json("check", "private.json")["amount"] == str(25 * 10**17)


def test_a_checkpoint_signs_a_proof(proved: Shell, keystore: Keystore) -> None:
    file, password, signer = keystore
    proved.run("checkpoint", "seal.json", "--keystore", file, "--password-file", password)
    id_ = proved.json("statement", "alice")[0]["id"]
    words = ("--checkpoint", "seal.json", "--signer", signer)
    for what, target in (
        (("entry", id_), "a.json"),
        (("balance", "bob"), "b.json"),
    ):
        proved.run("prove", *what, target, *words)
        said = nowhere().run("check", target, "--signer", signer)
        assert f"(number 2), signed by {signer}" in said
        assert "who signed seal 2" in nowhere().run("check", target, "--signer", STRANGER, code=1)
    proved.run("prove", "consistency", "c.json", "--from-seal", "1", *words)
    assert "who signed seal 1" in nowhere().run("check", "c.json", "--signer", signer, code=1)
    first = nowhere().json("check", "a.json")
    assert first["anchors"][0]["signer"] == signer
    assert "is signed by" in proved.fails("prove", "entry", id_, "d.json", *words[:3], STRANGER)
    assert "signer" in proved.fails("prove", "entry", id_, "d.json", "--checkpoint", "seal.json")
    assert "leave --seal out" in proved.fails(
        "prove", "entry", id_, "d.json", "--seal", "2", *words
    )
    assert not Path("d.json").exists()


def test_nothing_is_overwritten(proved: Shell) -> None:
    id_ = proved.json("statement", "alice")[-1]["id"]
    for words in (
        ("entry", id_, "entry.json"),
        ("balance", "bob", "balance.json"),
        ("balance", "bob", "new.json", "--tree", "balances.json"),
        ("consistency", "growth.json", "--from-seal", "1"),
    ):
        before = {path: path.read_bytes() for path in Path().glob("*.json")}
        assert "exists; name another file" in proved.fails("prove", *words)
        assert before == {path: path.read_bytes() for path in Path().glob("*.json")}
    assert "cannot be written" in proved.fails("prove", "entry", id_, "no/such/folder.json")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "nothing.json"), "nothing.json: cannot be read"),
        (("check", "key.json"), "is no proof that this version"),
        (("check", "balances.json", "--signer", STRANGER), "compared by its root alone"),
        (("check", "balances.json", "--expect-seal", NOTHING), "compared by its root alone"),
        (("check", "entry.json", "--expect-seal", "0x12"), "expect-seal"),
        (("check", "entry.json", "--rpc", "http://127.0.0.1:1"), "--rpc URL and --token ADDRESS"),
        (("check", "entry.json", "--token", STRANGER), "--rpc URL and --token ADDRESS"),
        (("prove", "entry", "0x12", "new.json"), "entry_id"),
        (("prove", "entry", NOTHING, "new.json"), "UNKNOWN_ENTRY"),
        (("prove", "balance", "carol", "new.json"), "UNKNOWN_ACCOUNT"),
        (("prove", "balance", "bob", "new.json", "--seal", "9"), "there is no seal 9"),
        (("prove", "consistency", "new.json", "--from-seal", "2"), "between which it grew"),
    ],
)
def test_what_cannot_be_done(proved: Shell, words: tuple[str, ...], says: str) -> None:
    Path("key.json").write_text("{}", encoding="utf-8")
    assert says in proved.fails(*words)
    assert not Path("new.json").exists()


def test_a_proof_beside_the_chain(proved: Shell, anvil: Node) -> None:
    rpc = ("--rpc", anvil.url)
    proved.run("chain", "deploy", *rpc)
    proved.run("chain", "replay", *rpc)
    contracts: list[Any] = proved.json("chain", "deploy", *rpc)["contracts"]
    token = next(it["address"] for it in contracts if it["name"] == "SCI")
    words = (*rpc, "--token", token)
    for file in ("entry.json", "growth.json"):
        said = nowhere().run("check", file, *words)
        assert said.splitlines()[-1].startswith("on chain: the same root in block ")
        found = nowhere().json("check", file, *words)
        assert (found["compared"], found["chain"]["token"]) == (True, token)
    assert "the leaf's chain id is" in nowhere().run("check", "balance.json", *words, code=1)
    more = ("--chain-id", "31337", "--token", token)
    proved.run("prove", "balance", "bob", "ours.json", *more)
    assert "on chain: the same root" in nowhere().run("check", "ours.json", *words)
    assert "no contract at" in nowhere().fails("check", "entry.json", *rpc, "--token", STRANGER)


def test_the_installed_program_checks_without_a_database(proved: Shell, folder: Path) -> None:
    del proved
    done = process("check", "entry.json", folder=folder, EVM_LEDGER_DATABASE="sqlite:///no.db")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (folder / "no.db").exists()
