"""Processes that post at random and are killed at random, all children of this one.

Run as a program: it has imported the ledger once and forks each worker in milliseconds. It lives
for a given time, kills and starts workers, then lets them finish, and leaves none behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from ledger import DatabaseFileError, Ledger
from tests.ledger.crashes import Ended, Failed, Log, Worker, failed, log_path

PATIENCE = 60.0
"""Seconds that the workers have to finish."""

KILLS = 11
"""How many are killed at least, however long that takes on a slow machine."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a crew is to do."""

    url: str
    folder: str
    seconds: float
    processes: int
    """With one thread each."""
    threads: int
    """In one process more; 0 for none."""
    killed_every: float
    """Seconds, in the mean."""
    seed: int

    @property
    def slots(self) -> int:
        """How many workers there are."""
        return self.processes + self.threads

    @property
    def over(self) -> Path:
        """The file that says that it is over."""
        return Path(self.folder, "over")

    @property
    def command(self) -> list[str]:
        """What runs the crew."""
        return [sys.executable, "-m", __name__, json.dumps(asdict(self))]


class Crew:
    """The workers of this moment."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._random = Random(config.seed)
        places = [[slot] for slot in range(config.processes)]
        if config.threads:
            places.append(list(range(config.processes, config.slots)))
        self._places = places
        self._pids = [self._start(place) for place in places]

    def _start(self, place: list[int]) -> int:
        """Fork a process for the workers of a place."""
        seed = self._random.getrandbits(64)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _work(self._config, place, Random(seed))
                code = 0
            except BaseException:  # noqa: BLE001 (a child must not return into its parent's stack)
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        return pid

    def run(self) -> int:
        """Kill and start until the time is over, and often enough; return how many were killed."""
        killed, end = 0, time.monotonic() + self._config.seconds
        while (left := end - time.monotonic()) > 0 or killed < KILLS:
            time.sleep(min(max(left, 0.1), self._random.expovariate(1 / self._config.killed_every)))
            number = self._random.randrange(len(self._places))
            os.kill(self._pids[number], signal.SIGKILL)
            _, status = os.waitpid(self._pids[number], 0)
            if status != signal.SIGKILL:
                raise RuntimeError(f"worker {number} had ended by itself: {status}")
            killed += 1
            self._pids[number] = self._start(self._places[number])
        return killed

    def finish(self) -> None:
        """Let every worker finish what it asks for."""
        self._config.over.touch()
        deadline = time.monotonic() + PATIENCE
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._pids.remove(pid)
                if status:
                    raise RuntimeError(f"a worker ended with {status}")
            elif time.monotonic() > deadline:
                raise RuntimeError(f"{len(self._pids)} workers do not end")
            else:
                time.sleep(0.01)

    def kill(self) -> None:
        """End every worker that is left."""
        for pid in self._pids:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _work(config: Config, place: list[int], random: Random) -> None:
    """Be a process of workers, one a thread, on one ledger."""
    folder = Path(config.folder)
    log = Log(folder / f"process-{place[0]}")
    ledger = _opened(config, log)
    workers = [Worker(folder, slot, config.slots, Random(random.getrandbits(64))) for slot in place]
    broken: list[BaseException] = []

    def run(worker: Worker) -> None:
        try:
            worker.run(ledger, config.over.exists)
        except BaseException as error:  # noqa: BLE001 (the process reports it)
            broken.append(error)

    threads = [threading.Thread(target=run, args=(worker,)) for worker in workers[1:]]
    for thread in threads:
        thread.start()
    run(workers[0])
    for thread in threads:
        thread.join()
    for error in broken:
        raise error
    log.add(Ended(ledger.retries))
    ledger.close()


def _opened(config: Config, log: Log) -> Ledger:
    """Open the ledger as soon as its server answers."""
    while True:
        begun = time.time()
        try:
            return Ledger.open(config.url, lock_timeout=60)
        except DatabaseFileError as error:
            log.add(failed(-1, begun, error))
            time.sleep(0.05)


def logs(config: Config) -> list[Path]:
    """Return every log of a crew."""
    folder = Path(config.folder)
    return [log_path(folder, n) for n in range(config.slots)] + sorted(folder.glob("process-*"))


__all__ = ["Config", "Crew", "Failed", "logs"]

if __name__ == "__main__":
    crew = Crew(Config(**json.loads(sys.argv[1])))
    try:
        print("killed", crew.run(), flush=True)  # noqa: T201 (whoever started it waits for that)
        crew.finish()
    finally:
        crew.kill()
