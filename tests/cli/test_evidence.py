"""Audit, and the evidence from outside with which it finds what nothing inside can show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from ledger import Hash32, Ledger
from tests.cli.attack import cut_tail
from tests.cli.conftest import KEY, stock
from tests.cli.shell import Shell
from tests.ledger.support import LEDGER_ID, PEPPER, Clock, attacker

if TYPE_CHECKING:
    from tests.support.nodes import Node

Keystore = tuple[Path, Path, str]
STRANGER = "0x" + "12" * 20


def test_an_audit_that_finds_nothing(any_stocked: Shell) -> None:
    any_stocked.run("seal")
    assert any_stocked.run("audit") == "ok: 2 entries, 3 accounts, 1 asset, 1 seal recomputed\n"
    report = any_stocked.json("audit")
    assert report.pop("heads").keys() == {"SCI"}
    assert report == {
        "ok": True, "assets": 1, "accounts": 3, "entries": 2, "seals": 1, "finding": None,
    }  # fmt: skip


def test_an_audit_that_finds_an_altered_row(any_stocked: Shell) -> None:
    with attacker(any_stocked.database) as database:
        database.run("UPDATE token_ledger SET reason = 'gift' WHERE seq = 2")
    text = any_stocked.run("audit", code=1)
    assert text.startswith("FOUND: token_ledger SCI/2: id is 0x")
    found = any_stocked.json("audit", code=1)
    assert found["ok"] is False
    assert {name: found["finding"][name] for name in ("table", "row", "what")} == {
        "table": "token_ledger", "row": "SCI/2", "what": "id",
    }  # fmt: skip


class Evidence:
    """A ledger of four entries in two seals, and each kind of evidence of its heads."""

    def __init__(self, shell: Shell, keystore: Keystore, url: str) -> None:
        self.shell = shell
        file, password, self.signer = keystore
        shell.run("seal")
        shell.run("transfer", "alice", "bob", "1")
        shell.run("transfer", "alice", "bob", "2")
        shell.run("seal")
        head = shell.json("audit")["heads"]["SCI"]
        self.literal = f"SCI:{head['seq']}:{head['head']}"
        shell.run("export", "evidence")
        shell.run("checkpoint", "checkpoint.json", "--keystore", file, "--password-file", password)
        shell.run("chain", "deploy", "--rpc", url)
        shell.run("chain", "replay", "--rpc", url)
        self.url = url

    def words(self, form: str) -> list[str]:
        """Return how `form` of evidence is given to the audit."""
        source = {
            "literal": self.literal,
            "folder": "evidence",
            "manifest": "evidence/manifest.json",
            "checkpoint": "checkpoint.json",
            "node": self.url,
        }[form]
        return ["--expect-head", source, "--signer", self.signer]


@pytest.fixture
def evidence(stocked: Shell, keystore: Keystore, anvil: Node) -> Evidence:
    return Evidence(stocked, keystore, anvil.url)


@pytest.mark.parametrize("form", ["literal", "folder", "manifest", "checkpoint", "node"])
def test_evidence_finds_a_tail_that_was_cut_off(evidence: Evidence, form: str) -> None:
    shell, words = evidence.shell, evidence.words(form)
    assert shell.run("audit", *words).startswith("ok: 4 entries")
    shell.run("mint", "bob", "1")
    assert shell.run("audit", *words).startswith("ok: 5 entries")
    cut_tail(shell.database, "SCI", 3)
    assert shell.run("audit").startswith("ok: 3 entries")
    assert shell.run("audit", *words, code=1) == (
        "FOUND: token_journals SCI: seq is 3, must be at least 4\n"
    )
    shell.run("transfer", "alice", "bob", "2")
    shell.run("seal")
    assert shell.run("audit").startswith("ok: 4 entries")
    found = shell.json("audit", *words, code=1)["finding"]
    assert (found["table"], found["row"], found["what"]) == ("token_ledger", "SCI/4", "head")


def test_the_highest_of_several_heads_counts(evidence: Evidence) -> None:
    shell, old = evidence.shell, evidence.literal
    shell.run("mint", "bob", "1")
    head = shell.json("audit")["heads"]["SCI"]
    new = f"SCI:5:{head['head']}"
    both = ["--expect-head", new, "--expect-head", old]
    shell.run("audit", *both)
    cut_tail(shell.database, "SCI", 4)
    shell.run("audit", "--expect-head", old)
    shell.run("audit", *both, code=1)


def two_assets(url: str, *, gold: int) -> Shell:
    """Make a ledger whose last seal has no batch of GOLD; `gold` is how many entries GOLD has."""
    clock = Clock()
    with Ledger.create(url, ledger_id=LEDGER_ID, pepper=PEPPER, clock=clock) as ledger:
        ledger.create_asset("SCI", "Science", 18)
        ledger.create_asset("GOLD", "Gold", 0)
        ledger.create_account("alice", 5, asset="SCI")
        for number in range(2):
            before = clock.now
            if number < gold:
                ledger.mint("alice", 7, asset="GOLD")
            clock.now = before + 1_000_000
        ledger.seal()
        ledger.mint("alice", 1, asset="SCI")
        ledger.seal()
    return Shell(url)


def test_a_checkpoint_covers_assets_that_its_seal_has_no_batch_of(
    folder: Path, keystore: Keystore
) -> None:
    file, password, signer = keystore
    honest = two_assets(f"sqlite:///{folder}/honest.db", gold=2)
    honest.run("checkpoint", "c.json", "--keystore", file, "--password-file", password)
    words = ["audit", "--expect-head", "c.json", "--signer", signer]
    honest.run(*words)
    shorter = two_assets(f"sqlite:///{folder}/shorter.db", gold=1)
    assert honest.json("audit")["heads"]["SCI"] == shorter.json("audit")["heads"]["SCI"]
    assert "FOUND: token_seals 2: id is 0x" in shorter.run(*words, code=1)


@pytest.mark.parametrize("form", ["folder", "checkpoint"])
def test_evidence_of_an_asset_that_is_gone(evidence: Evidence, form: str) -> None:
    with attacker(evidence.shell.database) as database:
        database.run("DELETE FROM token_journals WHERE asset <> 0")  # 0 is the accounts' stream
        for table in ("token_ledger", "token_volume", "token_balances", "token_batches"):
            database.run(f"DELETE FROM {table}")  # noqa: S608 (our own names)
        database.run("DELETE FROM token_assets")
        database.run("DELETE FROM token_seals")
        database.run("UPDATE token_settings SET sealed = 0")
    evidence.shell.run("audit")
    assert evidence.shell.run("audit", *evidence.words(form), code=1) == (
        "FOUND: token_assets SCI: row is missing, must be there\n"
    )


# --- checkpoints -----------------------------------------------------------------------------


def make_checkpoint(shell: Shell, keystore: Keystore) -> dict[str, Any]:
    shell.run("seal")
    made = shell.json(
        "checkpoint", "c.json", "--keystore", keystore[0], "--password-file", keystore[1]
    )
    assert made["signer"] == keystore[2]
    document: dict[str, Any] = json.loads(Path("c.json").read_text(encoding="utf-8"))
    return document


def typed_seal(document: dict[str, Any], batches: list[str]) -> dict[str, Any]:
    """Return the checkpoint's seal as a wallet shows it before it signs."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "salt", "type": "bytes32"},
            ],
            "Seal": [
                {"name": "number", "type": "uint64"},
                {"name": "prevSeal", "type": "bytes32"},
                {"name": "timestamp", "type": "uint64"},
                {"name": "batches", "type": "bytes32[]"},
            ],
        },
        "primaryType": "Seal",
        "domain": {"name": "evm-ledger", "version": "1", "salt": document["ledger_id"]},
        "message": {
            "number": document["number"],
            "prevSeal": document["prev_seal"],
            "timestamp": document["timestamp"],
            "batches": batches,
        },
    }


def test_a_checkpoint_is_what_a_wallet_would_sign(stocked: Shell, keystore: Keystore) -> None:
    document = make_checkpoint(stocked, keystore)
    with Ledger.open(stocked.database) as ledger:
        [sealed] = ledger.seals()
    message = typed_seal(document, [str(batch.id) for batch in sealed.batches])
    signed = Account.sign_typed_data(KEY, full_message=message)
    assert document["signature"] == "0x" + signed.signature.hex().removeprefix("0x")
    recovered = Account.recover_message(
        encode_typed_data(full_message=message), signature=document["signature"]
    )
    assert recovered == keystore[2]


@pytest.mark.parametrize("v", ["00", "01", "1b", "1c"])
def test_a_wallet_may_write_the_last_byte_either_way(
    stocked: Shell, keystore: Keystore, v: str
) -> None:
    document = make_checkpoint(stocked, keystore)
    signature = document["signature"][:-2] + v
    Path("c.json").write_text(json.dumps({**document, "signature": signature}), encoding="utf-8")
    words = ["audit", "--expect-head", "c.json", "--signer", keystore[2]]
    if int(v, 16) % 27 == int(document["signature"][-2:], 16) % 27:
        stocked.run(*words)
    else:
        assert "is signed by" in stocked.fails(*words)


@pytest.mark.parametrize(
    ("alter", "says"),
    [
        ({"number": 2}, "or was altered"),
        ({"timestamp": 1}, "or was altered"),
        ({"prev_seal": "0x" + "11" * 32}, "or was altered"),
        ({"batches": []}, "or was altered"),
        ({"ledger_id": "0x" + "11" * 32}, "is of another ledger"),
        ({"signature": "0x12"}, "signature: must be a signature of 65 bytes in hex"),
        ({"signature": "0x" + "zz" * 65}, "signature: must be a signature of 65 bytes in hex"),
        ({"signature": "0x" + "00" * 65}, "c.json: signature"),
        ({"number": "1"}, "number: must be an integer"),
        ({"note": "hello"}, "note: is unknown"),
    ],
)
def test_a_checkpoint_that_was_altered(
    stocked: Shell, keystore: Keystore, alter: dict[str, object], says: str
) -> None:
    document = make_checkpoint(stocked, keystore)
    Path("c.json").write_text(json.dumps({**document, **alter}), encoding="utf-8")
    error = stocked.fails("audit", "--expect-head", "c.json", "--signer", keystore[2])
    assert error.startswith("c.json: ")
    assert says in error


@pytest.mark.parametrize(
    "field", ["asset", "number", "first_seq", "last_seq", "prev_head", "new_head", "tree_root",
              "payload_hash"],
)  # fmt: skip
def test_a_checkpoint_whose_batch_was_altered(
    stocked: Shell, keystore: Keystore, field: str
) -> None:
    document = make_checkpoint(stocked, keystore)
    value = document["batches"][0][field]
    document["batches"][0][field] = value + 1 if isinstance(value, int) else "0x" + "11" * 32
    Path("c.json").write_text(json.dumps(document), encoding="utf-8")
    words = ["audit", "--expect-head", "c.json", "--signer", keystore[2]]
    assert "or was altered" in stocked.fails(*words)


def test_a_checkpoint_by_somebody_else_or_of_another_ledger(
    stocked: Shell, keystore: Keystore
) -> None:
    make_checkpoint(stocked, keystore)
    error = stocked.fails("audit", "--expect-head", "c.json", "--signer", STRANGER)
    assert f"is signed by {keystore[2]}, not by" in error
    assert "--signer ADDRESS" in stocked.fails("audit", "--expect-head", "c.json")
    assert "signer: " in stocked.fails("audit", "--expect-head", "c.json", "--signer", "me")
    other = stock(Shell("sqlite:///other.db"))
    words = ["audit", "--expect-head", "c.json", "--signer", keystore[2]]
    assert "is of another ledger" in other.fails(*words)


def test_a_checkpoint_that_cannot_be_made(stocked: Shell, keystore: Keystore) -> None:
    file, password, _ = keystore
    words = ["checkpoint", "c.json", "--keystore", file]
    sign = [*words, "--password-file", password]
    assert "nothing is sealed yet; run `evm-ledger seal` first" in stocked.fails(*sign)
    assert not Path("c.json").exists()
    stocked.run("seal")
    stocked.run(*sign)
    before = Path("c.json").read_bytes()
    assert "c.json exists; name another file" in stocked.fails(*sign)
    assert Path("c.json").read_bytes() == before


@pytest.mark.parametrize(
    ("keystore_text", "password_bytes", "says"),
    [
        (None, b"wrong", "the password is wrong, or the keystore file is damaged"),
        ("{}", b"correct horse", "no keystore file"),
        ("hello", b"correct horse", "no keystore file"),
        (None, b"\xff\xfe", "is not UTF-8, so no password file"),
        (None, None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_key_that_cannot_be_had(
    stocked: Shell,
    keystore: Keystore,
    keystore_text: str | None,
    password_bytes: bytes | None,
    says: str,
) -> None:
    file, password, _ = keystore
    stocked.run("seal")
    if keystore_text is not None:
        file.write_text(keystore_text, encoding="utf-8")
    if password_bytes is None:
        password.unlink()
    else:
        password.write_bytes(password_bytes)
    error = stocked.fails("checkpoint", "c.json", "--keystore", file, "--password-file", password)
    assert says in error
    assert "correct horse" not in error
    assert not Path("c.json").exists()


def test_nobody_is_asked_for_a_password_where_there_is_no_terminal(
    stocked: Shell, keystore: Keystore
) -> None:
    stocked.run("seal")
    assert "--password-file" in stocked.fails("checkpoint", "c.json", "--keystore", keystore[0])
    assert "no such file" in stocked.fails("checkpoint", "c.json", "--keystore", "none.json")
    assert "missing option '--keystore'" in stocked.fails("checkpoint", "c.json")


# --- what is no evidence ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "is no SYMBOL:SEQ:0xHEAD"),
        ("SCI", "is no SYMBOL:SEQ:0xHEAD"),
        ("SCI:2", "is no SYMBOL:SEQ:0xHEAD"),
        ("SCI:2:0x12", "is no SYMBOL:SEQ:0xHEAD with 64 hex digits"),
        ("SCI:-2:0x" + "00" * 32, "is no SYMBOL:SEQ:0xHEAD"),
        ("SCI:" + "9" * 5_000 + ":0x" + "00" * 32, "is no SYMBOL:SEQ:0xHEAD"),
        ("TIN:2:0x" + "00" * 32, "UNKNOWN_ASSET: no asset 'TIN'; the ledger has 'SCI'"),
        ("x" * 5_000, "is no SYMBOL:SEQ:0xHEAD"),
        ("no/such/manifest.json", "manifest.json: cannot be read (No such file or directory)"),
        (".", "manifest.json: cannot be read (No such file or directory)"),
        ("http://127.0.0.1:1", "does not answer"),
        ("http://[", "the RPC URL"),
        ("http://localhost:port", "the RPC URL"),
    ],
)
def test_what_is_no_evidence(stocked: Shell, source: str, says: str) -> None:
    assert says in stocked.fails("audit", "--expect-head", source)


def test_an_export_of_another_ledger_is_no_evidence(stocked: Shell) -> None:
    other = stock(Shell("sqlite:///other.db"))
    other.run("seal")
    other.run("export", "other")
    assert "is an export of another ledger" in stocked.fails("audit", "--expect-head", "other")


def test_a_chain_without_the_tokens_is_no_evidence(stocked: Shell, anvil: Node) -> None:
    error = stocked.fails("audit", "--expect-head", anvil.url)
    assert "no asset of this ledger is on the chain" in error


def test_a_wrong_literal_head_is_a_finding(stocked: Shell) -> None:
    head = stocked.json("audit")["heads"]["SCI"]["head"]
    assert Hash32.parse(head)
    wrong = head[:-1] + ("0" if head[-1] != "0" else "1")
    found = stocked.json("audit", "--expect-head", f"SCI:2:{wrong}", code=1)["finding"]
    assert (found["row"], found["what"], found["expected"]) == ("SCI/2", "head", wrong)
