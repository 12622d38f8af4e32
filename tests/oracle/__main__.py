"""`make fuzz`: histories for as long as you like, each round from a seed of its own.

A failure is shrunk and printed with the seed that finds it again: `make fuzz FUZZ_SEED=...`.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import warnings
from typing import TYPE_CHECKING

from hypothesis import seed, settings

from tests.oracle.running import bound, run_machine
from tests.support.guardian import Guardian
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from tests.oracle.machine import Machine

ROUND = 100
"""Histories of one seed."""


def main() -> int:
    """Run rounds until the time is over; return 1 at the first history that is not the model's."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long; 300 by default")
    parser.add_argument("--seed", type=int, help="run the one round of this seed")
    parser.add_argument("--steps", type=int, default=40, help="steps of a history; 40 by default")
    parser.add_argument("--counts", action="store_true", help="say how often each rule refused")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="Generating overly large repr")
    guardian = Guardian()
    server = PostgresServer(guardian)
    try:
        with bound(server) as machine:
            return _fuzz(machine, options)
    finally:
        server.stop()
        guardian.close()


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fuzz(machine: type[Machine], options: argparse.Namespace) -> int:
    started, worlds = time.monotonic(), machine.worlds
    options_of_round = settings(
        max_examples=ROUND,
        stateful_step_count=options.steps,
        derandomize=False,
        print_blob=False,
    )
    while True:
        chosen = secrets.randbelow(2**32) if options.seed is None else options.seed
        try:
            run_machine(seed(chosen)(machine), options_of_round)
        except BaseException:
            say(f"found again by: make fuzz FUZZ_SEED={chosen} FUZZ_STEPS={options.steps}")
            raise
        spent = time.monotonic() - started
        say(
            f"{worlds.histories} histories, {worlds.steps} calls, {worlds.items} items, "
            f"{spent:.0f} s, seed {chosen}"
        )
        if options.counts:
            say("\n".join(f"{count:7} {rule}" for rule, count in worlds.rules.most_common()))
        if options.seed is not None or spent >= options.seconds:
            return 0


if __name__ == "__main__":
    sys.exit(main())
