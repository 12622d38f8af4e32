"""Requests of every kind at random, and what a worker writes down before and after each of them.

A worker says in its log what it is about to ask, asks, and says what it was told, before it asks
for anything else. Killed in between and started again, it asks the same once more, by its key.
What it was told is acknowledged: after any crash it must be there.
"""

from __future__ import annotations

import base64
import binascii
import pickle
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ledger import (
    ISSUER,
    DatabaseFileError,
    Entry,
    Group,
    Hold,
    LedgerError,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    Receipt,
    RefusedError,
    Reverse,
    SetLimits,
    SetStatus,
    Status,
    VoidHold,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from ledger import Change, Ledger
    from ledger.requests import Item

SYMBOLS: Final = ("SCI", "EUR")
ACCOUNTS: Final = tuple(f"a{number}" for number in range(12))
HOT: Final = "hot"
MOODY: Final = ("moody 1", "moody 2")
"""Accounts that are frozen and opened again all the time."""

OWN_LIMIT: Final = 10**30
"""Limits start here: above every balance, and each is another one."""

PAUSE: Final = 0.05
"""Seconds before what a server that is down was asked is asked again."""


# --- the log ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """What will be asked next."""

    number: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Got:
    """What was answered: acknowledged."""

    number: int
    results: tuple[Receipt | RefusedError, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """An error that was not about the request, with when it was asked and when it failed."""

    number: int
    begun: float
    ended: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was asked and will not be asked again: it is there whole, or not at all."""

    number: int


@dataclass(frozen=True, slots=True)
class Saw:
    """Where a journal stood when it was read: told to somebody, so that it must stay."""

    symbol: str
    seq: int
    head: bytes


Told: TypeAlias = tuple[str, str, int, str, int, bytes]
"""A change: asset, type, time, account, seq, hold."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The next page of changes, and where to go on."""

    cursor: str
    changes: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that was not killed, and what it had to run again."""

    retries: int


Line: TypeAlias = Ask | Got | Failed | Dropped | Saw | Followed | Ended


class Log:
    """A file of lines; what was written is there, whatever becomes of the process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def add(self, line: Line) -> None:
        """Write a line; a beginning that was cut off before it spoils nothing."""
        self._file.write(b"\n" + base64.b64encode(pickle.dumps(line)) + b"\n")


def read_log(path: Path) -> list[Line]:
    """Return the lines of a log, but for those that were cut off."""
    lines: list[Line] = []
    for words in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            if words:
                lines.append(pickle.loads(base64.b64decode(words, validate=True)))  # noqa: S301 (our own file)
        except (binascii.Error, EOFError, pickle.UnpicklingError):
            continue
    return lines


# --- requests of every kind -------------------------------------------------------------------


@dataclass(slots=True)
class Draw:
    """What one random request is made of."""

    random: Random
    tag: str
    """In the reference of all that the request makes: it is found by that."""
    holds: list[Hold] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def words(self) -> dict[str, Any]:
        """Return a reference, and most times a key."""
        keyed = self.random.random() < 0.85
        return {
            "reference_type": "crash",
            "reference_id": self.tag,
            "idempotency_key": self.tag if keyed else "",
        }

    def symbol(self) -> str:
        return self.random.choice(SYMBOLS)

    def amount(self) -> int:
        return self.random.randrange(1, 60)


def _spread(draw: Draw) -> Item:
    from_, to = draw.random.sample((*ACCOUNTS, *MOODY), 2)
    return Movement(from_, to, draw.amount(), draw.symbol(), "spread", **draw.words())


def _hot(draw: Draw) -> Item:
    from_, to = draw.random.sample((HOT, draw.random.choice(ACCOUNTS)), 2)
    return Movement(from_, to, draw.amount(), "SCI", "hot", **draw.words())


def _mint(draw: Draw) -> Item:
    to = draw.random.choice(ACCOUNTS)
    return Movement(ISSUER, to, draw.amount(), draw.symbol(), "mint", **draw.words())


def _burn(draw: Draw) -> Item:
    from_ = draw.random.choice(ACCOUNTS)
    return Movement(from_, ISSUER, draw.amount(), draw.symbol(), "burn", **draw.words())


def _group(draw: Draw) -> Item:
    """Return a group over both assets; its second leg may be more than there is."""
    legs = []
    for number in range(draw.random.randrange(2, 5)):
        from_, to = draw.random.sample((*ACCOUNTS, HOT), 2)
        amount = 10**9 if draw.random.random() < 0.05 else draw.amount()
        symbol = SYMBOLS[number % 2]
        legs.append(Movement(from_, to, amount, symbol, "group", "crash", draw.tag))
    return Group(tuple(legs), draw.tag)


def _place(draw: Draw) -> Item:
    random = draw.random
    soon = datetime.now(UTC) + timedelta(milliseconds=random.randrange(20, 400))
    from_, to = random.sample(ACCOUNTS, 2)
    return PlaceHold(
        from_,
        draw.amount(),
        random.choice(["", to]),
        draw.symbol(),
        random.choice([None, None, soon]),
        "held",
        **draw.words(),
    )


def _post_hold(draw: Draw) -> Item:
    if not draw.holds:
        return _place(draw)
    hold = draw.random.choice(draw.holds)
    to = "" if hold.to_account else HOT
    part = draw.random.choice([None, None, max(1, hold.amount // 2)])
    keep = part is not None and draw.random.random() < 0.5
    return PostHold(hold.id, part, keep, to, "posted", **draw.words())


def _void_hold(draw: Draw) -> Item:
    if not draw.holds:
        return _place(draw)
    return VoidHold(draw.random.choice(draw.holds).id, draw.tag)


def _reverse(draw: Draw) -> Item:
    if not draw.entries:
        return _spread(draw)
    entry = draw.random.choice(draw.entries)
    whole = any(entry.group)
    return Reverse(entry.id, whole_group=whole, **draw.words())


def _open(draw: Draw) -> Item:
    endowment = draw.random.choice([0, 25])
    return OpenAccount(f"new {draw.tag}", endowment, draw.symbol(), draw.tag)


def _status(draw: Draw) -> Item:
    status = draw.random.choice([Status.FROZEN, Status.OPEN, Status.OPEN])
    return SetStatus(draw.random.choice(MOODY), status)


def _limits(draw: Draw) -> Item:
    account = draw.random.choice(ACCOUNTS)
    return SetLimits(account, draw.symbol(), None, OWN_LIMIT + draw.random.getrandbits(64))


def _crossed(draw: Draw) -> Item:
    """Return what others ask for now by the same key, of this asset or of the other."""
    key = f"crossed {int(time.time() * 4)}"
    from_, to = ACCOUNTS[:2]
    return Movement(from_, to, 1, draw.symbol(), "crossed", "crossed", key, "", key)


KINDS: Final[dict[Callable[[Draw], Item], int]] = {
    _spread: 8, _hot: 6, _mint: 2, _burn: 2, _group: 4, _place: 6, _post_hold: 4, _void_hold: 2,
    _reverse: 3, _open: 2, _status: 1, _limits: 1, _crossed: 5,
}  # fmt: skip
"""How often each kind is drawn."""


def drawn(draw: Draw) -> tuple[Item, ...]:
    """Return one request at random, or several in one call."""
    kinds, weights = list(KINDS), list(KINDS.values())
    count = draw.random.choice([1] * 12 + [3, 8])
    made = []
    for number, kind in enumerate(draw.random.choices(kinds, weights, k=count)):
        tag = f"{draw.tag}.{number}" if count > 1 else draw.tag
        made.append(kind(Draw(draw.random, tag, draw.holds, draw.entries)))
    return tuple(made)


# --- a worker ---------------------------------------------------------------------------------


class Worker:
    """Asks for one thing after the other, and goes on where it was killed."""

    def __init__(self, folder: Path, slot: int, slots: int, random: Random) -> None:
        """Take the place `slot` of `slots`, whose logs are in `folder`."""
        self._random = random
        self._slot = slot
        self._log = Log(log_path(folder, slot))
        self._neighbour = log_path(folder, (slot + 1) % slots)
        self._holds: list[Hold] = []
        self._entries: list[Entry] = []
        self._waiting: Ask | None = None
        self._cursor: str | None = None
        self._number = 0
        for line in read_log(log_path(folder, slot)):
            self._follow(line)

    def _follow(self, line: Line) -> None:
        """Know what the log says."""
        if isinstance(line, Ask):
            self._number, self._waiting = line.number + 1, line
        elif isinstance(line, Got | Dropped):
            self._waiting = None
        elif isinstance(line, Followed):
            self._cursor = line.cursor
        if isinstance(line, Got):
            self._remember(line.results)

    def _remember(self, results: tuple[Receipt | RefusedError, ...]) -> None:
        """Keep the newest holds and entries, for what names them."""
        receipts = [result for result in results if isinstance(result, Receipt)]
        self._holds += [each.hold for each in receipts if each.hold is not None]
        self._entries += [entry for each in receipts for entry in each.entries]
        del self._holds[:-6], self._entries[:-6]

    def _say(self, line: Line) -> None:
        self._log.add(line)
        self._follow(line)

    def run(self, ledger: Ledger, is_over: Callable[[], bool]) -> None:
        """Ask what was not answered, most times; then ask at random until it is over."""
        if self._waiting is not None:
            if self._random.random() < 0.3 or not is_repeatable(self._waiting.items):
                self._say(Dropped(self._waiting.number))
            else:
                self._ask(ledger, self._waiting, is_over)
        while not is_over():
            if self._random.random() < 0.05:  # another's holds and entries, too
                for line in read_log(self._neighbour)[-10:]:
                    if isinstance(line, Got):
                        self._remember(line.results)
            if self._random.random() < 0.2:
                self._look(ledger)
            tag = f"{self._slot}/{self._number}"
            items = drawn(Draw(self._random, tag, self._holds, self._entries))
            ask = Ask(self._number, items)
            self._say(ask)
            self._ask(ledger, ask, is_over)

    def _look(self, ledger: Ledger) -> None:
        """Read where a journal stands, or what has changed since the last look."""
        symbol, begun = self._random.choice(SYMBOLS), time.time()
        try:
            if self._slot % 8:
                head = ledger.head(symbol)
                self._say(Saw(symbol, head.seq, bytes(head.head)))
            else:
                page = ledger.changes_page(self._cursor, 200)
                self._say(Followed(page.cursor, tuple(map(told, page.changes))))
        except LedgerError as error:
            self._say(failed(self._number, begun, error))

    def _ask(self, ledger: Ledger, ask: Ask, is_over: Callable[[], bool]) -> None:
        """Ask until there is an answer, or until asking again could do it twice."""
        while True:
            begun = time.time()
            try:
                results = ledger.post_many(ask.items)
            except LedgerError as error:
                self._say(failed(ask.number, begun, error))
                known = isinstance(error, DatabaseFileError)
                if not known or not is_repeatable(ask.items) or is_over():
                    self._say(Dropped(ask.number))
                    return
                time.sleep(PAUSE)
            else:
                self._say(Got(ask.number, tuple(results)))
                return


def told(change: Change) -> Told:
    """Return what tells a change from every other."""
    seq = change.entry.seq if change.entry else 0
    hold = bytes(change.hold or b"")
    return (change.asset, str(change.type), change.timestamp, change.account_id, seq, hold)


def failed(number: int, begun: float, error: BaseException) -> Failed:
    """Return an error as a line."""
    words = "".join(traceback.format_exception(error))
    return Failed(number, begun, time.time(), type(error).__name__, words)


def is_repeatable(items: tuple[Item, ...]) -> bool:
    """Tell whether asking again does nothing twice: every item has its key."""
    return all(item.idempotency_key for item in items)


def log_path(folder: Path, slot: int) -> Path:
    """Return where the worker of a place writes."""
    return folder / f"worker-{slot}"


def answers(folder: Path, slots: int) -> Iterator[tuple[Ask, Got | None]]:
    """Yield everything that was asked, with its answer if there was one."""
    for slot in range(slots):
        lines = read_log(log_path(folder, slot))
        got = {line.number: line for line in lines if isinstance(line, Got)}
        for line in lines:
            if isinstance(line, Ask):
                yield line, got.get(line.number)
