"""Keys as commands are given them: files of several programs, passwords from files and people."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_account import Account
from eth_typing import HexStr

from bridge.errors import KeyFileError
from bridge.keys import TEST_ADDRESS, Signer
from tests.cli.conftest import KEY, PASSWORD
from tests.cli.shell import PROGRAM
from tests.support.signing import account, signs

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import RpcProxy

Keystore = tuple[Path, Path, str]

# The test vectors of the Web3 Secret Storage definition, as geth writes its files.
PUBLISHED: Final[dict[str, dict[str, Any]]] = {
    "pbkdf2": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262_144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "scrypt": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262_144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
}
PUBLISHED_ADDRESS: Final = "008aeeda4d805471df9b2a5b0f38a0c3bcba786b"


def written(folder: Path, document: object) -> Path:
    path = folder / "some.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("kdf", PUBLISHED)
def test_published_keystores_open(tmp_path: Path, kdf: str) -> None:
    document = {"crypto": PUBLISHED[kdf], "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6"}
    path = written(tmp_path, {**document, "version": 3})
    signer = Signer.from_keystore(path, "testpassword")
    assert str(signer.address).lower() == "0x" + PUBLISHED_ADDRESS


def capitals(document: object) -> object:
    if not isinstance(document, dict):
        return document
    return {name.upper(): capitals(value) for name, value in document.items()}


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_names_in_capitals_are_read(tmp_path: Path, kdf: Any) -> None:  # noqa: ANN401 (a literal)
    document = Account.encrypt(HexStr(KEY), PASSWORD, kdf=kdf, iterations=2)
    address = str(Account.from_key(KEY).address)
    for form in (document, {**document, "Crypto": document["crypto"]}, capitals(document)):
        assert str(Signer.from_keystore(written(tmp_path, form), PASSWORD).address) == address


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 1}, "of another version than 3"),
        ({"version": "1"}, "of another version than 3"),
        ({"version": 4}, "of another version than 3"),
        ({"version": None}, "of another version than 3"),
        ({"crypto": None}, "the password is wrong, or the keystore file is damaged"),
        ({"crypto": {}}, "the password is wrong, or the keystore file is damaged"),
        ({"crypto": {**PUBLISHED["scrypt"], "kdf": "argon2"}}, "the keystore file is damaged"),
        ({"crypto": {**PUBLISHED["pbkdf2"], "mac": "00" * 32}}, "the password is wrong"),
    ],
)
def test_other_keystores_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = written(tmp_path, {"version": 3, "crypto": PUBLISHED["pbkdf2"], **change})
    with pytest.raises(KeyFileError, match=says):
        Signer.from_keystore(path, "testpassword")


# --- passwords ---


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize(
    "password", ["", "correct horse", " spaces kept ", "pa\u00dfwort \U0001f40e"]
)
def test_a_password_file_is_read_without_its_line_end(
    stocked: Shell, folder: Path, password: str, end: str
) -> None:
    document = Account.encrypt(HexStr(KEY), password, kdf="scrypt", iterations=2)
    written(folder, document)
    Path("secret").write_bytes((password + end).encode())
    stocked.run("seal")
    sign = ["--keystore", "some.json", "--password-file", "secret"]
    assert stocked.run("checkpoint", "c.json", *sign).startswith("c.json: seal 1 ")


def typed(shell: Shell, text: str, *words: object) -> tuple[int, str, str]:
    """Run a command on a terminal where somebody types `text`; return code, output, and what
    the terminal showed."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "EVM_LEDGER_DATABASE": shell.database, **shell.environment},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while b"Password" not in shown:
            shown += os.read(ours, 1_024)
        os.write(ours, text.encode())
        while part := os.read(ours, 1_024):
            shown += part
    os.close(ours)
    said, _ = program.communicate(timeout=240)
    return program.returncode, said.decode(), shown.decode()


@pytest.mark.parametrize("password", ["correct horse", ""])
def test_a_password_is_typed_and_never_shown(stocked: Shell, folder: Path, password: str) -> None:
    written(folder, Account.encrypt(HexStr(KEY), password, kdf="scrypt", iterations=2))
    stocked.run("seal")
    words = ["checkpoint", "c.json", "--keystore", "some.json"]
    code, said, shown = typed(stocked, f"{password}\n", *words)
    assert (code, said.startswith("c.json: seal 1 ")) == (0, True), shown
    assert shown.strip() == "Password of some.json:"


def test_a_wrong_password_is_asked_for_once(stocked: Shell, keystore: Keystore) -> None:
    stocked.run("seal")
    words = ["checkpoint", "c.json", "--keystore", keystore[0]]
    code, said, shown = typed(stocked, "wrong\n", *words)
    assert (code, said) == (2, "")
    assert "the password is wrong, or the keystore file is damaged" in shown
    assert "\nwrong" not in shown
    assert not Path("c.json").exists()


# --- which key ---


@pytest.fixture
def signing(stocked: Shell, anvil: Node, rpc_proxy: RpcProxy) -> Shell:
    """Return a shell with a sealed ledger, a node, and a remote signer with a funded account."""
    stocked.run("seal")
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    anvil.rpc("anvil_setBalance", account("6b").address, hex(10**18))
    rpc_proxy.behave = signs(account("6b"))
    return stocked


def test_the_operator_behind_a_remote_signer(signing: Shell, rpc_proxy: RpcProxy) -> None:
    address = account("6b").address
    said = signing.run("chain", "deploy", "--remote-signer", rpc_proxy.url)
    assert said.splitlines()[-1] == f"operator of SCI: {address}"
    assert signing.json("asset", "list")[0]["operator"] == address
    signing.environment["EVM_LEDGER_SIGNER"] = rpc_proxy.url
    sent = signing.run("chain", "replay", "--signer-address", address.lower())
    assert sent.startswith("sent 1 batch with 2 entries")
    assert signing.run("chain", "verify").startswith("agree: 2 entries")


def test_a_remote_signer_that_signs_otherwise(signing: Shell, rpc_proxy: RpcProxy) -> None:
    rpc_proxy.behave = signs(account("6b"), alter=lambda fields: {**fields, "value": 1})
    error = signing.fails("chain", "deploy", "--remote-signer", rpc_proxy.url)
    assert "the remote signer signed something else: value is 1, asked was 0: nothing was" in error
    assert rpc_proxy.calls == ["eth_accounts", "eth_signTransaction"]
    assert signing.json("asset", "list")[0]["operator"] is None


def test_several_accounts_and_anvil_as_the_signer(signing: Shell, anvil: Node) -> None:
    anvil_signs = ["--remote-signer", anvil.url]
    error = signing.fails("chain", "deploy", *anvil_signs)
    known = len(anvil.rpc("eth_accounts"))  # ten, and whom an earlier test has impersonated
    assert f"has {known} accounts: say which signs, --signer-address" in error
    chosen = [*anvil_signs, "--signer-address", TEST_ADDRESS]
    said = signing.run("chain", "deploy", *chosen).splitlines()
    assert said[-1].endswith("(the public test key, on this chain only)")
    assert signing.run("chain", "replay", *chosen).startswith("sent 1 batch")


def test_the_public_key_behind_a_remote_signer(stocked: Shell, start_anvil: StartNode) -> None:
    public = start_anvil("--chain-id", "10")
    stocked.run("seal")
    sign = ["--remote-signer", public.url, "--signer-address", TEST_ADDRESS]
    for words in (["deploy", "--allow-own-registrar"], ["replay"]):
        error = stocked.fails("chain", *words, "--rpc", public.url, *sign)
        assert f"everybody has the key of {TEST_ADDRESS}" in error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--keystore", "k", "--remote-signer", "http://s"], "either --keystore or --remote"),
        (["--password-file", "p"], "--password-file is that of a --keystore"),
        (["--remote-signer", "http://s", "--password-file", "p"], "is that of a --keystore"),
        (["--signer-address", TEST_ADDRESS], "--signer-address chooses an account of"),
        (["--remote-signer", "signer"], "the remote signer's URL must start with http"),
        (["--remote-signer", "http://127.0.0.1:1", "--signer-address", "0x12"], "signer-address"),
        (["--remote-signer", "http://127.0.0.1:1"], "does not answer"),
    ],
)
def test_keys_that_cannot_be_meant(signing: Shell, words: list[str], says: str) -> None:
    for command in ("deploy", "replay"):
        assert says in signing.fails("chain", command, *words)
