"""The command line as a test uses it: words in, text or JSON or one line of error out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from click.testing import CliRunner
from eth_account.messages import encode_defunct, encode_typed_data

from bridge.cli import main
from tests.support.rpc_proxy import Dropped, honest

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tests.support.rpc_proxy import Forward, Json, RpcProxy

PROGRAM: Final = Path(sys.executable).with_name("evm-ledger")


@dataclass
class Shell:
    """Runs commands on one database, in this process."""

    database: str
    environment: dict[str, str] = field(default_factory=dict)
    typed: bytes | None = None
    """What comes from standard input."""

    def invoke(self, *words: object) -> tuple[int, str, str]:
        """Return the exit code of the command, its output and what it complains of."""
        environment = {"EVM_LEDGER_DATABASE": self.database, **self.environment}
        found = CliRunner().invoke(
            main,
            [str(word) for word in words],
            input=self.typed,
            env=environment,
            catch_exceptions=False,
        )
        return found.exit_code, found.stdout, found.stderr

    def run(self, *words: object, code: int = 0) -> str:
        """Return what the command prints; it must end with `code` and complain of nothing."""
        found, stdout, stderr = self.invoke(*words)
        assert (found, stderr) == (code, ""), stdout
        return stdout

    def json(self, *words: object, code: int = 0) -> Any:  # noqa: ANN401 (JSON is anything)
        """Return the JSON that the command prints."""
        return json.loads(self.run(*words, "--json", code=code))

    def fails(self, *words: object) -> str:
        """Return the one line with which the command says that it could not do its work."""
        code, stdout, stderr = self.invoke(*words)
        assert (code, stdout) == (2, ""), stdout + stderr
        assert stderr.startswith("error: "), stderr
        assert stderr.count("\n") == 1, stderr
        return stderr.removeprefix("error: ").rstrip("\n")


def signed(shell: Shell, account_id: str, wallet: LocalAccount, *options: str) -> str:
    """Return what `wallet` signs of what the program asks for, as the program takes it."""
    words = ["account", "link-message", account_id, wallet.address, *options]
    if "eip191" in options:
        message = encode_defunct(text=shell.run(*words))
    else:
        message = encode_typed_data(full_message=shell.json(*words))
    return "0x" + wallet.sign_message(message).signature.hex().removeprefix("0x")


def kill_at_broadcast(
    shell: Shell, *words: object, folder: Path, proxy: RpcProxy, arrives: bool
) -> None:
    """Run the installed program, and kill it when it broadcasts, before or after that arrives."""
    with subprocess.Popen(
        [PROGRAM, *map(str, words)],
        cwd=folder,
        env={**os.environ, "EVM_LEDGER_DATABASE": shell.database, **shell.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:

        def behave(request: Json, forward: Forward) -> Json:
            if request["method"] == "eth_sendRawTransaction":
                if arrives:
                    forward(request)
                process.kill()
                process.wait()
                raise Dropped
            return forward(request)

        proxy.behave = behave
        assert process.wait(280) == -signal.SIGKILL
    proxy.behave = honest


def process(*words: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program as a process of its own, in `folder`."""
    return subprocess.run(
        [PROGRAM, *map(str, words)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=280,
    )
