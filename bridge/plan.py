"""What a replay will take, before there is a chain: transactions, gas, blocks and cost.

Nothing here asks a node. The runs are those that `replay` cuts, of the batches that are sealed and
of those that the rest would make if it were sealed now, onto contracts that have nothing yet.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from bridge.batches import ETHEREUM, Limits, cut, make_run, start, weigh
from bridge.plan_deferral import planned_deferrals
from bridge.plan_gas import (
    TRANSFER_BYTES,
    Writes,
    alone,
    factory_work,
    finalize_work,
    replay_work,
    token_work,
    transfer_work,
)
from bridge.plan_rules import PLANNED, TODAY, Gas, GasRules, Work, blocks_of
from bridge.progress import Progress, ReportProgress, ignore
from ledger.batches import cut as cut_seal
from ledger.batches import units
from ledger.ids import first_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bridge.batches import Position, Run
    from bridge.plan_deferral import PlannedDeferral
    from ledger import Entry, Ledger


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One `replay` to come, or another transaction of a deferral."""

    symbol: str
    first_seq: int
    last_seq: int
    calldata_bytes: int
    gas_needed: int
    """The gas that it must be given: refunds come at its end."""
    gas: int
    """The gas that it uses and pays for, as its receipt will say it."""
    state_gas: int
    """How much of that is state gas (EIP-8037); a transaction's cap does not count it."""


@dataclass(frozen=True, slots=True)
class PlanTotal:
    """What some transactions take together."""

    transactions: int
    calldata_bytes: int
    gas: int
    state_gas: int
    blocks: int
    """At least: other transactions want to be in them too."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The plan by one set of rules."""

    rules: GasRules
    runs: tuple[PlannedRun, ...]
    """One `replay` each, in the order in which they are sent."""
    replay: PlanTotal
    deploy: PlanTotal
    """The account factory and every token, once."""
    finalize: PlanTotal
    alone: PlanTotal
    """For comparison: each entry as one ERC-20 transfer, in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class AssetPlan:
    """What there is of one asset."""

    symbol: str
    entries: int
    unsealed: int
    """Entries that are in no seal yet."""
    batches: int
    """Sealed ones, and those that the rest would make."""
    exact_gas: int
    """By today's rules, with every record checked against the balances."""
    deferred_gas: int | None
    """The same with balances deferred; None if the token cannot (docs/deferred.md)."""
    deferred: bool
    """Whether `replay` defers them, because it pays."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What replaying a ledger takes."""

    limits: Limits
    assets: tuple[AssetPlan, ...]
    today: Forecast
    planned: Forecast
    """By the rules that are to come (`bridge.plan_rules`), or those that the limits named."""

    @property
    def entries(self) -> int:
        """Entries of all assets."""
        return sum(asset.entries for asset in self.assets)

    @property
    def unsealed(self) -> int:
        """Those that are in no seal yet."""
        return sum(asset.unsealed for asset in self.assets)

    @property
    def batches(self) -> int:
        """Batches of all assets."""
        return sum(asset.batches for asset in self.assets)


def plan(
    ledger: Ledger,
    *,
    limits: Limits = ETHEREUM,
    progress: ReportProgress = ignore,
) -> Plan:
    """Return what it takes to replay all of `ledger`, from its first entry on.

    Multiply gas by a price to have a cost: it is the gas of the execution layer, so on a rollup the
    fee for its data comes on top.

    Args:
        ledger: what is to be replayed.
        limits: of the chain. It is planned twice: by the rules of today, and by those of `limits`,
            or, if these are today's, by `PLANNED`.
        progress: is told how many entries are planned.
    """
    return _Planner(ledger, limits, progress).run()


class _Runs(NamedTuple):
    """A batch cut at some counts, from some position on."""

    counts: tuple[int, ...]
    at: Position
    works: tuple[Work, ...]
    runs: tuple[Run, ...]
    end: Position


@dataclass(slots=True)
class _Course:
    """The runs by one set of rules."""

    limits: Limits
    deferrals: dict[str, PlannedDeferral]
    """Of each asset that can defer, what that would take."""
    ends: dict[str, Position]
    """Where each asset's contract will stand."""
    runs: dict[str, list[PlannedRun]]
    gas: dict[str, list[Gas]]

    @property
    def rules(self) -> GasRules:
        """The rules."""
        return self.limits.rules

    def take(self, symbol: str, made: _Runs) -> None:
        """Add the runs of one batch."""
        if symbol in self.deferrals:
            self.deferrals[symbol].take(made.runs)
        for run, work in zip(made.runs, made.works, strict=True):
            self._add(symbol, run.batch.first_seq, run.batch.last_seq, work)
        self.ends[symbol] = made.end

    def defer(self, symbol: str) -> None:
        """Put the transactions of a deferral in the place of the runs of an asset."""
        self.gas[symbol], self.runs[symbol] = [], []
        for call in self.deferrals[symbol].calls():
            self._add(symbol, call.first_seq, call.last_seq, call.work)

    def _add(self, symbol: str, first: int, last: int, work: Work) -> None:
        """Add a transaction."""
        gas = work.price(self.rules)
        self.gas[symbol].append(gas)
        self.runs[symbol].append(
            PlannedRun(symbol, first, last, work.calldata_bytes, gas.needed, gas.used, gas.state)
        )


class _Waiting:
    """Entries to come: what a seal has looked at and not taken comes again."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self._seen: deque[Entry] = deque()

    def __iter__(self) -> Iterator[Entry]:
        """Return those not taken yet, in order."""
        yield from list(self._seen)
        for entry in self._entries:
            self._seen.append(entry)
            yield entry

    def drop(self, count: int) -> None:
        """Take the first ones."""
        for _ in range(count):
            self._seen.popleft()


class _Planner:
    """One plan in the making."""

    def __init__(self, ledger: Ledger, limits: Limits, progress: ReportProgress) -> None:
        self._ledger = ledger
        self._identity = ledger.identity
        self._limits = limits
        self._progress = progress
        self._assets = {asset.symbol: asset for asset in ledger.assets()}
        self._heads = {symbol: ledger.head(symbol).seq for symbol in self._assets}
        self._batches: Counter[str] = Counter()
        self._alone: Counter[tuple[int, Writes]] = Counter()
        self._done = 0
        planned = PLANNED if limits.rules == TODAY else limits.rules
        self._courses = [self._course(rules) for rules in (TODAY, planned)]

    def _course(self, rules: GasRules) -> _Course:
        """Return the start: contracts that have nothing."""
        domain = self._identity.domain
        limits = replace(self._limits, rules=rules)
        return _Course(
            limits,
            planned_deferrals(self._assets.values(), limits),
            {symbol: start(first_head(domain, it.id)) for symbol, it in self._assets.items()},
            {symbol: [] for symbol in self._assets},
            {symbol: [] for symbol in self._assets},
        )

    def run(self) -> Plan:
        """Go through all entries once."""
        sealed = self._add_sealed()
        self._add_unsealed(sealed)
        assets = tuple(self._choose(symbol, end) for symbol, end in sealed.items())
        today, planned = (self._forecast(course) for course in self._courses)
        return Plan(self._limits, assets, today, planned)

    def _choose(self, symbol: str, sealed: int) -> AssetPlan:
        """Defer the balances of an asset if `replay` will; return what there is of it."""
        batches, deferral = self._batches[symbol], self._courses[0].deferrals.get(symbol)
        exact = sum(gas.used for gas in self._courses[0].gas[symbol])
        other = deferral.gas if deferral and batches else None
        defers = deferral is not None and batches > 1 and deferral.pays(exact)
        if defers:
            for course in self._courses:
                course.defer(symbol)
        head = self._heads[symbol]
        return AssetPlan(symbol, head, head - sealed, batches, exact, other, defers)

    def _add_sealed(self) -> dict[str, int]:
        """Add every sealed batch; return up to where each asset is sealed."""
        ends = dict.fromkeys(self._assets, 0)
        for sealed in self._ledger.seals():
            for stored in sealed.batches:
                batch, symbol = stored.batch, stored.symbol
                if symbol in ends:  # or it is newer than this plan
                    entries = list(self._ledger.entries(symbol, batch.first_seq, batch.last_seq))
                    self._add(symbol, entries)
                    ends[symbol] = batch.last_seq
                    self._heads[symbol] = max(self._heads[symbol], batch.last_seq)
        return ends

    def _add_unsealed(self, sealed: Mapping[str, int]) -> None:
        """Add what the next seals would take, as they would take it (`ledger.sealing`)."""
        ids = {symbol: asset.id for symbol, asset in self._assets.items()}
        waiting = {
            symbol: _Waiting(self._ledger.entries(symbol, sealed[symbol] + 1, head))
            for symbol, head in self._heads.items()
        }
        while taken := cut_seal(units(list(waiting.values()), ids)):
            for symbol, entries in taken.items():
                self._add(symbol, entries)
                waiting[symbol].drop(len(entries))

    def _add(self, symbol: str, entries: Sequence[Entry]) -> None:
        """Add one batch to each course; where both cut it alike, it is encoded once."""
        made: _Runs | None = None
        weight = weigh(entries)
        for course in self._courses:
            whole = course.limits.allow(weight)
            counts = (len(entries),) if whole else tuple(cut(entries, course.limits))
            at = course.ends[symbol]
            if made is None or (made.counts, made.at) != (counts, at):
                made = self._make(symbol, entries, counts, at)
            course.take(symbol, made)
        self._batches[symbol] += 1
        self._alone.update(map(transfer_work, entries))
        self._done += len(entries)
        self._progress(Progress("entries", self._done, sum(self._heads.values())))

    def _make(
        self, symbol: str, entries: Sequence[Entry], counts: tuple[int, ...], at: Position
    ) -> _Runs:
        """Return the runs of one batch, each counted."""
        taken, here, works, runs = 0, at, [], []
        for count in counts:
            part = entries[taken : taken + count]
            run = make_run(self._identity.domain, self._assets[symbol].id, part, here)
            runs.append(run)
            works.append(replay_work(run, part, self._assets[symbol].token_version))
            taken, here = taken + count, run.after
        return _Runs(counts, at, tuple(works), tuple(runs), here)

    # --- sums ---

    def _forecast(self, course: _Course) -> Forecast:
        """Return the plan by one set of rules; `replay` sends one asset after the other."""
        runs = tuple(run for asset in course.runs.values() for run in asset)
        gas = [gas for asset in course.gas.values() for gas in asset]
        replayed = sum(run.calldata_bytes for run in runs)
        deployed = [
            factory_work(),
            *(token_work(self._identity, it) for it in self._assets.values()),
        ]
        finalized = [
            finalize_work(end.history, end.last_seq, self._assets[symbol].token_version)
            for symbol, end in course.ends.items()
        ]
        return Forecast(
            rules=course.rules,
            runs=runs,
            replay=self._total(gas, replayed),
            deploy=self._priced(deployed, course.rules),
            finalize=self._priced(finalized, course.rules),
            alone=self._total_alone(course.rules),
        )

    def _priced(self, works: Iterable[Work], rules: GasRules) -> PlanTotal:
        """Return what transactions that do `works` take."""
        listed = list(works)
        calldata = sum(work.calldata_bytes for work in listed)
        return self._total([work.price(rules) for work in listed], calldata)

    def _total(self, gas: Sequence[Gas], calldata_bytes: int) -> PlanTotal:
        """Return what transactions in this order take."""
        return PlanTotal(
            transactions=len(gas),
            calldata_bytes=calldata_bytes,
            gas=sum(it.used for it in gas),
            state_gas=sum(it.state for it in gas),
            blocks=blocks_of(gas, self._limits.block_gas),
        )

    def _total_alone(self, rules: GasRules) -> PlanTotal:
        """Return what one transfer a transaction takes, block after block full to the brim."""
        used = state = in_block = 0
        for (zero_bytes, writes), count in self._alone.items():
            gas = alone(zero_bytes, writes).price(rules)
            used += count * gas.used
            state += count * gas.state
            in_block += count * gas.in_block
        count = self._alone.total()
        return PlanTotal(
            transactions=count,
            calldata_bytes=TRANSFER_BYTES * count,
            gas=used,
            state_gas=state,
            blocks=-(-max(in_block, state) // self._limits.block_gas),
        )
