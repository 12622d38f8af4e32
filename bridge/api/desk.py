"""What is done for requests that gathered: one transaction, with one look at their keys."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from bridge.api.gathering import Answer
from bridge.api.guards import not_valid
from ledger import BusyError, ConflictError, DatabaseFileError, Movement, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.api.guards import Caller, Service

Steps = Generator[Movement, Receipt, dict[str, Any]]
"""An endpoint: it yields what it wants to post, gets the receipt, and returns its answer."""


@dataclass(slots=True, eq=False)
class Wanted:
    """One request that waits."""

    caller: Caller
    work: Steps | Callable[[], dict[str, Any]]
    """What it wants to post, or how it reads its answer."""
    status: int = 200
    """Of its answer, if all goes well."""


def posted(api: Service, run: Sequence[Wanted]) -> list[Answer]:
    """Post for all of `run` in one commit; return each one's own answer."""
    try:
        answers, left = _confirmed(api, run)
    except Exception as error:  # noqa: BLE001 (each who waits is told)
        return [error] * len(run)
    asked: list[tuple[Wanted, Steps, Movement]] = []
    for wanted in left:
        steps = wanted.work
        if not isinstance(steps, Generator):
            raise TypeError("it is no posting")
        try:
            asked.append((wanted, steps, next(steps)))
        except StopIteration as stop:
            answers[wanted] = JSONResponse(stop.value, wanted.status)
        except Exception as error:  # noqa: BLE001 (its own)
            answers[wanted] = error
    results: Sequence[Receipt | Exception]
    try:
        results = api.ledger.post_many([item for *_, item in asked])
    except Exception as error:  # noqa: BLE001 (each who waits is told)
        results = [error] * len(asked)
    for (wanted, steps, _), result in zip(asked, results, strict=True):
        answers[wanted] = _answered(wanted, steps, result)
    return [answers[wanted] for wanted in run]


def _answered(wanted: Wanted, steps: Steps, result: Receipt | Exception) -> Answer:
    """Return what an endpoint answers to what came of its posting."""
    if isinstance(result, Exception):
        steps.close()
        return result
    try:
        steps.send(result)
    except StopIteration as stop:
        return JSONResponse(stop.value, wanted.status)
    except Exception as error:  # noqa: BLE001 (its own)
        return error
    raise TypeError("an endpoint posts once")


def looked_up(api: Service, run: Sequence[Wanted]) -> list[Answer]:
    """Read for all of `run` at one moment; return each one's own answer."""
    try:
        with api.ledger.moment():
            answers, left = _confirmed(api, run)
            for wanted in left:
                answers[wanted] = _read(wanted)
    except Exception as error:  # noqa: BLE001 (each who waits is told)
        return [error] * len(run)
    return [answers[wanted] for wanted in run]


def _read(wanted: Wanted) -> Answer:
    """Return what a request reads, or its own error.

    Raises what the database said: the transaction that all read in may be over by that.
    """
    if isinstance(wanted.work, Generator):
        raise TypeError("it is no reading")
    try:
        return JSONResponse(wanted.work(), wanted.status)
    except (BusyError, ConflictError, DatabaseFileError, SQLAlchemyError):
        raise
    except Exception as error:  # noqa: BLE001 (its own)
        return error


def _confirmed(api: Service, run: Sequence[Wanted]) -> tuple[dict[Wanted, Answer], list[Wanted]]:
    """Return the answers to those whose key is not valid any more, and the others."""
    keys = [wanted.caller.key for wanted in run if wanted.caller.key is not None]
    ended: set[str] = set()
    if keys:
        ended = api.keys.ended(keys)
    bad = [it for it in run if it.caller.key is not None and it.caller.key.id in ended]
    return {wanted: not_valid() for wanted in bad}, [it for it in run if it not in bad]
