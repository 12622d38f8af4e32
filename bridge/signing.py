"""Who signs, as a command is told: a keystore file, a remote signer, or the public test key."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import click

from bridge.console import PATH
from bridge.errors import KeyFileError
from bridge.keys import Signer
from bridge.remote_signer import RemoteSigner
from ledger.model import Address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.keys import TransactionSigner

_HIDDEN: Final[dict[str, Any]] = {
    "hide_input": True,
    "err": True,
    "default": "",  # a keystore may have an empty password; geth's development key does
    "show_default": False,
}

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Key:
    """The key that a command was told to sign with; nothing is opened until `signer` is called."""

    keystore: Path | None = None
    password_file: Path | None = None
    remote_signer: str | None = field(default=None, repr=False)
    """A URL, which may hold a password of its own."""
    signer_address: str | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what contradicts itself."""
        if self.keystore is not None and self.remote_signer is not None:
            raise click.UsageError(
                "one key signs: give either --keystore or --remote-signer (EVM_LEDGER_SIGNER)"
            )
        if self.password_file is not None and self.keystore is None:
            raise click.UsageError("--password-file is that of a --keystore")
        if self.signer_address is not None and self.remote_signer is None:
            raise click.UsageError("--signer-address chooses an account of a --remote-signer")

    @property
    def is_given(self) -> bool:
        """Whether somebody said which key; without one, a local test chain's public key signs."""
        return self.keystore is not None or self.remote_signer is not None

    def signer(self) -> TransactionSigner:
        """Return who signs, asking for the password where it must.

        Raises:
            KeyFileError: a file cannot be read, the password is wrong, or there is nobody to ask.
            SignerError: the remote signer does not answer, or leaves open which account signs.
        """
        if self.remote_signer is not None:
            chosen = self.signer_address
            address = None if chosen is None else Address.parse(chosen, "signer-address")
            return RemoteSigner.connect(self.remote_signer, address)
        if self.keystore is None:
            return Signer.for_test_chain()
        return open_keystore(self.keystore, self.password_file)


def key_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what signs an operator's transactions; the command gets it as `key`."""
    return _key_options("The operator's key")(command)


def new_operator_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what signs for whom the operator's part was offered to; the command gets it as `key`."""
    return _key_options("The key of the new operator, to whom the part was offered")(command)


def payer_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what signs a transaction that anybody may send; the command gets it as `key`."""
    return _key_options("The key that sends it, and pays for the gas; anybody's")(command)


def _key_options(whose: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return what adds the options of a key, which is `whose`."""

    def add(command: Callable[..., R]) -> Callable[..., R]:
        @wraps(command)
        def signed(
            *,
            keystore: Path | None,
            password_file: Path | None,
            remote_signer: str | None,
            signer_address: str | None,
            **options: object,
        ) -> R:
            key = Key(keystore, password_file, remote_signer, signer_address)
            return command(key=key, **options)

        signed = click.option(
            "--signer-address",
            metavar="ADDRESS",
            help="Which of the remote signer's accounts signs, if it has several.",
        )(signed)
        signed = click.option(
            "--remote-signer",
            envvar="EVM_LEDGER_SIGNER",
            show_envvar=True,
            metavar="URL",
            help="Who signs instead of a keystore: a program that answers eth_signTransaction.",
        )(signed)
        return click.option(
            "--keystore",
            type=PATH,
            metavar="FILE",
            help=f"{whose} (Web3 Secret Storage). On a local test chain its first account signs "
            "if no key is given.",
        )(password_option(signed))

    return add


def password_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--password-file`."""
    return click.option(
        "--password-file",
        type=PATH,
        metavar="FILE",
        help="The keystore's password; asked for if not given.",
    )(command)


def open_keystore(keystore: Path, password_file: Path | None) -> Signer:
    """Return the key in `keystore`, opened with the password in a file, or the one typed.

    Raises:
        KeyFileError: a file cannot be read, the password is wrong, or there is nobody to ask.
    """
    return Signer.from_keystore(keystore, _password(keystore, password_file))


def _password(keystore: Path, file: Path | None) -> str:
    """Return the password in `file`, without its line end, or the one that is typed."""
    if file is None:
        if not keystore.is_file():
            raise KeyFileError(f"{keystore}: there is no such file")
        if not sys.stdin.isatty():
            raise KeyFileError(f"{keystore} has a password: name a file with it, --password-file")
        return str(click.prompt(f"Password of {keystore}", **_HIDDEN))
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyFileError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{file}: is not UTF-8, so no password file") from None
    return text.rstrip("\r\n")
