"""What posts to a ledger; `Ledger` adds the functions that applications call by name."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ledger import store
from ledger.amounts import check_uint
from ledger.errors import FieldError, RefusedError, Rule
from ledger.links import check_link
from ledger.needs import Needs, needs_of, target_of, weight_of
from ledger.reader import Reader
from ledger.requests import Group, Item, Movement, OpenAccount, check_item
from ledger.results import Receipt
from ledger.runs import Run
from ledger.targets import find_targets
from ledger.writer import MAX_RUN, Symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ledger.model import Hash32
    from ledger.nested import Posting
    from ledger.results import Identity
    from ledger.rules import Target


class Poster(Reader):
    """Takes items of any kind to the journals that they need."""

    def __init__(
        self, transactions: Posting, identity: Identity, clock: Callable[[], int] | None
    ) -> None:
        """Use `Ledger.create` or `Ledger.open` instead."""
        super().__init__(transactions, identity)
        self._clock = clock

    def post_many(
        self, items: Iterable[Item], *, dry_run: bool = False
    ) -> list[Receipt | RefusedError]:
        """Post items of every kind; return each one's own receipt or refusal, in order.

        Items stand or fall on their own (a group as a whole). They are committed in runs of at
        most 5,000 entries: after an error that ends the call, earlier runs remain posted, so give
        items idempotency keys and call again. With `dry_run` the same is done in one transaction
        that is taken back: the results are what they would be, and nothing is left.

        Raises:
            FieldError: an item is of another type.
            BusyError, ConflictError, DatabaseFileError: the call ended early.
        """
        with self._transactions.call():
            if dry_run:
                return self._rehearsed(list(_runs(items)))
            return [result for run in _runs(items) for result in self._run(run)]

    def post_past(self, items: Sequence[tuple[int, Item]]) -> list[Receipt]:
        """Post what happened at known times (microseconds), in one commit, whole or not at all.

        For an import: every time must be after the one before it and after the journal's last.

        Raises:
            RefusedError: the first refusal; TIME_PASSED, CLOCK_AHEAD, or as `transfer`.
            BusyError, ConflictError, DatabaseFileError: nothing was posted.
        """
        times = tuple(check_uint(at, 63, "timestamp") for at, _ in items)
        run = [check_item(item, position) for position, (_, item) in enumerate(items)]
        for position, item in enumerate(run):
            if not isinstance(item, Movement | Group | OpenAccount):
                raise FieldError(f"items[{position}]", "only entries and accounts have a past")
        weight = sum(weight_of(item) for item in run)
        if weight > MAX_RUN:
            raise FieldError("items", f"one commit has at most {MAX_RUN} entries, not {weight}")
        with self._transactions.call():
            results = self._transactions.post(self._prepared(run, times)) if run else []
        return [result for result in results if isinstance(result, Receipt)]

    def _check_writable(self) -> Hash32:
        """Return the pepper, without which nothing can be posted. Raises READ_ONLY."""
        if self.identity.pepper is None:
            raise RefusedError(
                Rule.READ_ONLY,
                "this ledger was imported without its pepper: it can be read, not posted to; "
                "import it with `--secrets FILE`",
            )
        return self.identity.pepper

    def _one(self, item: Item, *, dry_run: bool = False) -> Receipt:
        """Post one item; raise its refusal."""
        result = self.post_many([item], dry_run=dry_run)[0]
        if isinstance(result, RefusedError):
            raise result
        return result

    def _run(self, items: Sequence[Item]) -> list[Receipt | RefusedError]:
        """Post `items` in one commit, if anything can be posted at all."""
        try:
            self._check_writable()
        except RefusedError as refusal:
            return [refusal for _ in items]
        self._check_links(items)
        return self._together(items)

    def _together(self, items: Sequence[Item]) -> list[Receipt | RefusedError]:
        """Post `items` in one commit."""
        return self._transactions.post(self._prepared(items))

    def _check_links(self, items: Sequence[Item]) -> None:
        """Check proofs of addresses before any lock: it takes milliseconds, and is remembered."""
        for item in items:
            if isinstance(item, OpenAccount) and item.address and item.link:
                with suppress(RefusedError):  # its own decision refuses it
                    check_link(self.identity.ledger_id, item.account_id, item.address, item.link)

    def _rehearsed(self, runs: Sequence[Sequence[Item]]) -> list[Receipt | RefusedError]:
        """Post runs of items and take them back."""
        try:
            self._check_writable()
        except RefusedError as refusal:
            return [refusal for items in runs for _ in items]
        return self._transactions.rehearse([self._prepared(items) for items in runs])

    def _targets(self, items: Sequence[Item]) -> Mapping[Hash32, Target]:
        """Return what the items name by id, as far as it exists."""
        if all(target_of(item) is None for item in items):
            return {}
        with self._transactions.reading() as connection:
            known = self._assets = store.read_assets(connection)
            return find_targets(connection, known, self.identity.pepper, items)

    def _journals(self, needs: Needs) -> Symbols:
        """Return the journals to lock, of the assets that exist; sorted."""
        known = self._known_assets()
        if not needs.places.keys() - {None} <= known.keys():
            known = self._known_assets(fresh=True)
        return needs.journals(known)

    def _prepared(self, items: Sequence[Item], times: tuple[int, ...] = ()) -> Run:
        """Return `items` with all that is known about them before the lock."""
        targets = self._targets(items)
        needs = needs_of(items, targets)
        symbols = self._journals(needs)
        return Run(
            self.identity,
            self._check_writable(),
            self._known_assets(),
            items,
            self._clock,
            symbols,
            times,
            needs,
            targets,
        )


def _runs(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut items into runs of at most 5,000 entries, in order. Raises FieldError."""
    run: list[Item] = []
    weight = 0
    if not isinstance(items, Iterable):
        raise FieldError("items", f"must be items, not {type(items).__name__}")
    for position, candidate in enumerate(items):
        item = check_item(candidate, position)
        size = weight_of(item)
        if run and weight + size > MAX_RUN:
            yield run
            run, weight = [], 0
        run.append(item)
        weight += size
    if run:
        yield run
