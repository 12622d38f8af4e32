"""Random histories on three ledgers at once: the model, SQLite, PostgreSQL.

After every step each database holds what the model says and what the other one holds, to the
byte; and what was refused, rehearsed or repeated has changed nothing at all (I1 to I9).
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ledger import (
    ISSUER,
    FieldError,
    Group,
    Kind,
    Ledger,
    Movement,
    OpenAccount,
    Receipt,
    RefusedError,
    Rule,
)
from ledger.model import ZERO_HASH
from ledger.requests import PlaceHold, SetLimits
from tests.ledger.support import START, create, raw
from tests.oracle.model import ACCOUNTS, EPOCH, Answer, Line, Model, Stake, words_of
from tests.oracle.requests import NAMED, altered, items, limits, resolutions, settle
from tests.oracle.state import State, check_invariants, read_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger.requests import Item
    from tests.support.postgres import PostgresServer

ENDOWMENT = 100
HOUR = 3_600_000_000


@dataclass
class Worlds:
    """Makes the two databases of each history, copies of one that was made once."""

    folder: Path
    server: PostgresServer
    _template: str = ""
    histories: int = 0
    steps: int = 0
    items: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    """How often each rule refused, and each kind of item was accepted."""

    def __post_init__(self) -> None:
        """Make a ledger of one asset and no account, twice."""
        self._template = self.server.create_database()
        for url in (f"sqlite:///{self.folder / 'template.db'}", self.server.url(self._template)):
            with create(url, clock=lambda: START) as ledger:
                ledger.create_asset("SCI", "Science", 2, endowment=ENDOWMENT)

    def databases(self, stack: ExitStack) -> list[str]:
        """Return the URLs of two new ledgers, which are gone when `stack` is closed."""
        self.histories += 1
        file = self.folder / "history.db"
        shutil.copyfile(self.folder / "template.db", file)
        stack.callback(self._forget)
        name = self.server.create_database(self._template)
        stack.callback(self.server.drop_database, name)
        return [f"sqlite:///{file}", self.server.url(name)]

    def _forget(self) -> None:
        """Remove the SQLite file of the last history."""
        for file in self.folder.glob("history.db*"):
            file.unlink()


@dataclass
class Side:
    """One database: the ledgers that have it open, and how it is read behind their backs."""

    hosts: list[Ledger]
    raw: Any
    state: State = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        """The ledger that is used now; what another one does, it has not seen."""
        return self.hosts[0]

    def read(self) -> State:
        """Return what the database holds now."""
        self.state = read_state(self.raw)
        return self.state


class Machine(RuleBasedStateMachine):
    """All operations, good and bad, alone and in batches, rehearsed and repeated."""

    worlds: ClassVar[Worlds]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.model = Model(START, {"SCI": ENDOWMENT})
        self.sides = [self._side(url) for url in self.worlds.databases(self.stack)]
        self.sent: list[Item] = []
        self.hold_numbers: dict[tuple[int, int], int] = {}
        self._read()

    def _side(self, url: str) -> Side:
        hosts = [
            self.stack.enter_context(Ledger.open(url, clock=lambda: self.model.clock))
            for _ in range(2)
        ]
        return Side(hosts, self.stack.enter_context(raw(url)))

    # --- steps --------------------------------------------------------------------------------

    @initialize(second=st.booleans(), limit=limits)
    def accounts(self, *, second: bool, limit: int | None) -> None:
        """Begin with three accounts and some entries and holds; at times with two assets."""
        if second:
            self.second_asset()
        self._post([OpenAccount(name, ENDOWMENT, "SCI") for name in NAMED])
        pair = (Movement("a", "b", 5, "SCI"), Movement("b", "c", 6, "EUR" if second else "SCI"))
        if second:
            self._post([OpenAccount("d", ENDOWMENT, "EUR"), Movement("d", "b", 20, "EUR")])
        self._post([Group(pair), Movement("c", "a", 7, "SCI"), PlaceHold("a", 9, "b", "SCI")])
        self._post([SetLimits("a", "SCI", limit), SetLimits("c", "SCI", None, limit)])
        for name, seconds in (("b", 2), ("c", 1)):
            until = EPOCH + timedelta(seconds=seconds, microseconds=START)
            self._post([PlaceHold(name, 8, asset="SCI", expires_at=until)])

    @precondition(lambda self: len(self.model.assets) == 1)
    @rule()
    def second_asset(self) -> None:
        """Create the second asset; from now on each call must name one."""
        for side in self.sides:
            side.ledger.create_asset("EUR", "Euro", 2, endowment=ENDOWMENT)
        self.model.assets["EUR"] = ENDOWMENT
        self._same()

    @rule(batch=st.lists(items, min_size=1, max_size=4))
    def post(self, batch: list[Item]) -> None:
        """Post items of any kind."""
        self._post([settle(item, self.model) for item in batch])

    @rule(item=items)
    def post_one(self, item: Item) -> None:
        """Post one item."""
        self._post([settle(item, self.model)])

    @precondition(lambda self: self.model.hold_ids)
    @rule(item=resolutions)
    def resolve(self, item: Item) -> None:
        """Post or void a hold."""
        self._post([settle(item, self.model)])

    @rule(item=items)
    def post_twice(self, item: Item) -> None:
        """Post an item twice in one batch."""
        settled = settle(item, self.model)
        self._post([settled, settled])

    @rule(batch=st.lists(items, min_size=1, max_size=4))
    def rehearse(self, batch: list[Item]) -> None:
        """Rehearse items, then post them: the results are the same."""
        settled = [settle(item, self.model) for item in batch]
        rehearsed = self._post(settled, dry_run=True)
        assert self._post(settled) == rehearsed

    @precondition(lambda self: self.sent)
    @rule(place=st.integers(0, 20), other=st.booleans(), dry_run=st.booleans())
    def again(self, place: int, *, other: bool, dry_run: bool) -> None:
        """Send what was sent before, or something else with its key."""
        item = self.sent[-1 - place % len(self.sent)]
        self._post([altered(item) if other else item], dry_run=dry_run)

    @rule(seconds=st.sampled_from([1e-6, 2e-6, 5e-6, 1, 2, 3, 3_600, -1]))
    def wait(self, seconds: float) -> None:
        """Let time pass; a host's clock may also be set back."""
        self.model.clock += round(seconds * 1_000_000)

    @rule()
    def change_hosts(self) -> None:
        """Go on with the other ledger that has each database open."""
        for side in self.sides:
            side.hosts.reverse()

    @rule()
    def seal(self) -> None:
        """Seal what is not sealed."""
        one, two = (side.ledger.seal() for side in self.sides)
        assert one == two
        sealed = {batch.symbol: batch.batch.last_seq for batch in one.batches} if one else {}
        tops = {row["asset"]: row["seq"] for row in self.sides[0].state["token_journals"]}
        numbers = self._numbers()
        assert all(tops[numbers[symbol]] == last for symbol, last in sealed.items())
        self._same()

    @rule(amount=st.sampled_from([-1, 1.5, "1", None, True, 2**256]), text=st.sampled_from(["", 5]))
    def ask_nonsense(self, amount: Any, text: Any) -> None:  # noqa: ANN401 (of a wrong type)
        """Call with what is no amount, no account, no id."""
        for side in self.sides:
            ledger = side.ledger
            for call, arguments in (
                (ledger.transfer, ("a", "b", amount)),
                (ledger.hold, ("a", amount)),
                (ledger.hold, (text, 1)),
                (ledger.post_hold, (text,)),
                (ledger.reverse, (text,)),
                (ledger.freeze_account, (text,)),
            ):
                with pytest.raises(FieldError):
                    call(*arguments)
            with pytest.raises(FieldError):
                ledger.set_limits("a", max_debit=-1 if amount is None else amount)
        self._unchanged()

    # --- what each step asserts ---------------------------------------------------------------

    def _post(self, batch: Sequence[Item], *, dry_run: bool = False) -> list[Any]:
        """Post on all three and compare everything."""
        self.worlds.steps += 1
        self.worlds.items += len(batch)
        expected = self.model.post_many(batch, dry_run=dry_run)
        one, two = (side.ledger.post_many(batch, dry_run=dry_run) for side in self.sides)
        assert list(map(_told, one)) == list(map(_told, two))
        for item, wanted, got in zip(batch, expected, one, strict=True):
            try:
                self._compare(wanted, got)
            except AssertionError as error:
                raise AssertionError(f"{item}: {wanted}, not {got}") from error
            name = type(item).__name__
            self.worlds.rules[str(wanted) if isinstance(wanted, Rule) else name] += 1
        made = [
            item
            for item, answer in zip(batch, expected, strict=True)
            if isinstance(answer, Answer) and not answer.repeated
        ]
        if made and not dry_run:
            new = [it for it in one if isinstance(it, Receipt) and not it.repeated]
            self.model.learn(
                [entry.id for it in new for entry in it.entries],
                [
                    answer.hold.id
                    for item, answer in zip(batch, one, strict=True)
                    if isinstance(item, PlaceHold)
                    and isinstance(answer, Receipt)
                    and answer.hold is not None
                    and not answer.repeated
                ],
            )
            self.sent += [item for item in made if item.idempotency_key]
            self._same()
        else:
            self._unchanged()
        return list(map(_told, one))

    def _compare(self, wanted: Answer | Rule, got: Receipt | RefusedError) -> None:
        """Assert that a ledger's answer is the model's."""
        if isinstance(wanted, Rule) or isinstance(got, RefusedError):
            assert wanted == (got.rule if isinstance(got, RefusedError) else got)
            return
        assert got.repeated == wanted.repeated
        for line, entry in zip(wanted.lines, got.entries, strict=True):
            assert self._shown(line) == (
                entry.asset, entry.seq, entry.timestamp, entry.from_account, entry.to_account,
                entry.amount, entry.balance_after_from, entry.balance_after_to, entry.reason,
                entry.reference_type, entry.reference_id, entry.memo, entry.idempotency_key,
                entry.kind, entry.cause,
            )  # fmt: skip
            assert entry.repeated == wanted.repeated
        grouped = [line.group is not None for line in wanted.lines]
        assert [entry.group != ZERO_HASH for entry in got.entries] == grouped
        assert len({entry.group for entry in got.entries}) <= 1
        assert wanted.account == (got.account and (got.account.account_id, got.account.status))
        limits = got.limits and (got.limits.max_debit, got.limits.max_balance)
        assert wanted.limits == limits
        assert (wanted.hold is None) == (got.hold is None)
        if wanted.hold is not None and got.hold is not None:
            hold = got.hold
            assert wanted.hold == Stake(
                hold.asset, hold.account_id, hold.to_account, hold.amount, hold.remaining,
                hold.state, hold.expires_at or 0, hold.created_at, hold.updated_at, words_of(hold),
            )  # fmt: skip

    def _shown(self, line: Line) -> tuple[object, ...]:
        """Return an entry of the model as a ledger shows it, but for its own hashes."""
        cause = line.cause or ZERO_HASH
        if line.kind == Kind.REVERSAL:
            cause = list(self.model.entry_ids)[int(str(line.cause))]
        if line.kind == Kind.HOLD:
            cause = list(self.model.hold_ids)[int(str(line.cause))]
        return (
            line.asset, line.seq, line.time, line.source, line.target, line.amount, *line.after,
            *line.words, line.kind, cause,
        )  # fmt: skip

    def _read(self) -> None:
        """Read both databases; they hold the same (I9)."""
        one, two = (side.read() for side in self.sides)
        assert _of_history(one) == _of_history(two)

    def _unchanged(self) -> None:
        """Assert that both databases hold what they held (I8)."""
        for side in self.sides:
            before = side.state
            assert side.read() == before

    def _same(self) -> None:
        """Assert that both databases hold the same, and what the model says."""
        self._read()
        state = self.sides[0].state
        check_invariants(state)
        self._audited(self.sides[0])  # and so the other one, which holds the same
        model, numbers = self.model, self._numbers()
        assert {row["account_id"]: row["status"] for row in state["token_accounts"]} == {
            name: str(status) for name, status in model.accounts.items()
        }
        given = {
            row["account_id"]: row["address"] for row in state["token_accounts"] if row["link"]
        }
        assert given == {name: bytes(address) for name, address in model.addresses.items()}
        self._same_balances(state, numbers)
        self._same_holds(state, numbers)
        journals = {row["asset"]: row["seq"] for row in state["token_journals"]}
        assert journals == {
            number: sum(line.asset == symbol for line in model.lines)
            for symbol, number in numbers.items()
        }
        assert {row["key"] for row in state["token_keys"]} == set(model.keys)

    def _numbers(self) -> dict[str, int]:
        """Return the number of each asset, and of the accounts' stream."""
        return {ACCOUNTS: 0} | {symbol: n for n, symbol in enumerate(self.model.assets, 1)}

    def _same_balances(self, state: State, numbers: dict[str, int]) -> None:
        """Compare balances, limits, and the volumes of the hours."""
        model = self.model
        stored = {(row["asset"], row["account_id"]): row for row in state["token_balances"]}
        volume: dict[tuple[int, int], list[int]] = defaultdict(list)
        for symbol in model.assets:
            for account in model.accounts:
                row = stored.pop((numbers[symbol], account), None)
                names = ("balance", "total_earned", "total_spent", "total_staked")
                limits = model.limits_of(symbol, account)
                if row is None:
                    assert (model.earned(symbol, account), limits) == (0, (None, None))
                    continue
                assert tuple(row[name] for name in names) == (
                    model.balance(symbol, account), model.earned(symbol, account),
                    model.spent(symbol, account), model.staked(symbol, account),
                )  # fmt: skip
                assert (row["max_debit"], row["max_balance"]) == limits
        assert not stored
        for line in model.lines:
            if ISSUER not in {line.source, line.target}:
                volume[numbers[line.asset], line.time // HOUR].append(line.amount)
        assert {
            (row["asset"], row["hour"]): (row["entries"], int(row["amount"]))
            for row in state["token_volume"]
        } == {place: (len(each), sum(each)) for place, each in volume.items()}

    def _same_holds(self, state: State, numbers: dict[str, int]) -> None:
        """Compare holds, and the events of every stream."""
        model = self.model
        holds = {row["id"]: row for row in state["token_holds"]}
        for id_, place in model.hold_ids.items():
            stake, row = model.holds[place], holds.pop(id_)
            assert (
                row["asset"], row["account_id"], row["to_account"] or "", row["amount"],
                row["remaining"], row["state"], row["expires_at"] or 0, row["created_at"],
                row["updated_at"],
            ) == (
                numbers[stake.asset], stake.source, stake.target, stake.amount,
                stake.remaining, stake.state, stake.expiry, stake.created, stake.updated,
            )  # fmt: skip
            by_number = (row["asset"], row["number"])
            assert self.hold_numbers.setdefault(by_number, place) == place
        assert not holds
        happened = [
            (
                row["asset"], row["number"], row["type"], row["account_id"], row["after_seq"],
                row["hold"] and self.hold_numbers[row["asset"], row["hold"]],
            )
            for row in state["token_events"]
        ]  # fmt: skip
        expected: list[tuple[object, ...]] = [(0, 1, "account_created", ISSUER, 0, None)]
        count = {0: 1}
        for event in model.events:
            number = numbers[event.asset]
            count[number] = count.get(number, 0) + 1
            expected.append(
                (number, count[number], event.type, event.account, event.after, event.hold)
            )
        assert sorted(happened, key=repr) == sorted(expected, key=repr)

    def teardown(self) -> None:
        """Audit both databases at the end of a history, and close them."""
        try:
            for side in self.sides:
                self._audited(side)
        finally:
            self.stack.close()

    def _audited(self, side: Side) -> None:
        """Assert what the ledger's own audit checks: I1 to I7, with every id and root."""
        report = side.ledger.audit()
        assert report.ok, report.finding


def _of_history(state: State) -> State:
    """Return what follows from what happened: all but the versions, which rise at random."""
    journals = [
        {name: value for name, value in row.items() if name != "row_version"}
        for row in state["token_journals"]
    ]
    return {**state, "token_journals": journals}


def _told(result: Receipt | RefusedError) -> Receipt | str:
    """Return a result as a value that can be compared."""
    return f"{type(result).__name__} {result}" if isinstance(result, RefusedError) else result
