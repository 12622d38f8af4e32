"""What posts to a ledger; `Ledger` adds the functions that applications call by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import check_uint
from ledger.errors import FieldError, RefusedError, Rule
from ledger.posting import Run
from ledger.reader import Reader
from ledger.requests import Item, check_item
from ledger.results import Receipt
from ledger.rules import movements_of
from ledger.writer import MAX_RUN, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ledger.model import Hash32
    from ledger.results import Identity
    from ledger.transactions import Transactions


class Poster(Reader):
    """Takes items of any kind to the journals that they need, together with who else waits."""

    def __init__(
        self, transactions: Transactions, identity: Identity, clock: Callable[[], int] | None
    ) -> None:
        """Use `Ledger.create` or `Ledger.open` instead."""
        super().__init__(transactions, identity)
        self._clock = clock
        self._writer = Writer(self._post)

    def post_many(self, items: Iterable[Item]) -> list[Receipt | RefusedError]:
        """Post movements, groups and accounts; return each one's own receipt or refusal, in order.

        Items stand or fall on their own (a group as a whole). They are committed in runs of at
        most 5,000 entries: after an error that ends the call, earlier runs remain posted, so give
        items idempotency keys and call again.

        Raises:
            BusyError, ConflictError, DatabaseFileError: the call ended early.
        """
        results: list[Receipt | RefusedError] = []
        run: list[Item] = []
        weight = 0
        for position, candidate in enumerate(items):
            item = check_item(candidate, position)
            size = max(1, len(movements_of(item)))
            if run and weight + size > MAX_RUN:
                results += self._run(run, weight)
                run, weight = [], 0
            run.append(item)
            weight += size
        return results + self._run(run, weight) if run else results

    def post_past(self, items: Sequence[tuple[int, Item]]) -> list[Receipt]:
        """Post what happened at known times (microseconds), in one commit, whole or not at all.

        For an import: every time must be after the one before it and after the journal's last.

        Raises:
            RefusedError: the first refusal; TIME_PASSED, CLOCK_AHEAD, or as `transfer`.
            BusyError, ConflictError, DatabaseFileError: nothing was posted.
        """
        times = tuple(check_uint(at, 63, "timestamp") for at, _ in items)
        run = [check_item(item, position) for position, (_, item) in enumerate(items)]
        weight = sum(len(movements_of(item)) for item in run)
        if weight > MAX_RUN:
            raise FieldError("items", f"one commit has at most {MAX_RUN} entries, not {weight}")
        results = self._post(self._symbols(run), run, times) if run else []
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

    def _one(self, item: Item) -> Receipt:
        """Post one item; raise its refusal."""
        result = self._run([item], max(1, len(movements_of(item))))[0]
        if isinstance(result, RefusedError):
            raise result
        return result

    def _run(self, items: Sequence[Item], weight: int) -> list[Receipt | RefusedError]:
        """Post `items` in one commit, with whatever else waits for the same journals."""
        try:
            self._check_writable()
        except RefusedError as refusal:
            return [refusal for _ in items]
        return self._writer.post(self._symbols(items), items, weight)

    def _symbols(self, items: Iterable[Item]) -> tuple[str, ...]:
        """Return the assets whose journals `items` need, of those that exist; sorted."""
        named = {movement.asset for item in items for movement in movements_of(item)}
        known = self._known_assets()
        if not named - {None} <= known.keys():
            known = self._known_assets(fresh=True)
        if None in named and len(known) == 1:
            named |= known.keys()
        return tuple(sorted(symbol for symbol in named if symbol is not None and symbol in known))

    def _post(
        self, symbols: tuple[str, ...], items: Sequence[Item], times: tuple[int, ...] = ()
    ) -> list[Receipt | RefusedError]:
        """Post `items` while the journals of `symbols` are locked."""
        run = Run(
            self.identity,
            self._check_writable(),
            self._known_assets(),
            items,
            self._clock,
            symbols,
            times,
        )
        return self._transactions.post(run)
