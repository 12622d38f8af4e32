"""A deferral on a chain: which transaction is due, by where the contract stands.

As with batches the contract is the truth: it holds the announcement and what is settled of it, so a
run may be stopped anywhere. Before anything is announced, every entry, batch and balance of the
deferral is recomputed, because the contract goes to what was announced or nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from bridge.codec import decode_result, encode_call
from bridge.deferral import (
    LIMIT,
    VERSIONS,
    WORTH,
    Announcement,
    announce,
    batch_gas,
    can_defer,
    changes,
    exact_gas,
    rows_between,
    settling_gas,
)
from bridge.due import due_runs
from bridge.errors import ForeignHistoryError
from bridge.plan_deferral import most_rows
from ledger.errors import CorruptError, FieldError
from ledger.model import ISSUER, ZERO_HASH, Hash32
from ledger.payload import decode_payload
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.batches import Limits, Position, Run
    from bridge.chain import Block, Chain
    from bridge.tokens import Token
    from ledger import Ledger
    from ledger.model import Address
    from ledger.results import Asset, SealedBatch

Mode: TypeAlias = Literal["auto", "exact", "deferred"]
"""How balances get to a token: each record against them, or once at the end of a deferral.

auto: deferred where the token can, at least two batches wait, and it saves a tenth of the gas.
"""

DEFERRAL_PURPOSES: Final = ("defer", "settle")
"""What the outbox says of the transactions here."""

_DEFERRAL: Final = "deferral()"
_TYPES: Final = (*["bytes32"] * 3, *["uint256"] * 2, "address", "uint64", "uint64")


@dataclass(frozen=True, slots=True)
class Standing:
    """The deferral that a contract is in."""

    final_history: Hash32
    settlement: Hash32
    """The commitment to the rows that are not settled yet."""
    from_seq: int
    """The last entry before it."""
    final_seq: int
    """Its last entry; 0 if there is no deferral."""


class DueCall(NamedTuple):
    """A transaction that must be sent before, or instead of, the next batch."""

    purpose: str
    """One word, for the outbox."""
    what: str
    """In words, for people."""
    data: bytes
    first_seq: int
    last_seq: int
    rows: int = 0
    """Balances that are settled after it."""
    all_rows: int = 0


class Outlook(NamedTuple):
    """What a deferral takes from here on."""

    call: DueCall | None
    """What is due before the next batch."""
    transactions: int
    entries: int
    gas: int
    at: Position
    """Where the contract stands after it."""


class _Plan(NamedTuple):
    """What a deferral from some entry on would be."""

    announcement: Announcement
    saves: bool
    """Whether it costs so much less that it is worth it."""
    obstacle: str
    """Why the contract would not take it; empty if it would."""


def read_standing(chain: Chain, token: Token, at: Block) -> Standing:
    """Return the deferral that `token` is in, if it can defer and does."""
    if not can_defer(token.asset):
        return Standing(ZERO_HASH, ZERO_HASH, 0, 0)
    data = chain.call(token.address, encode_call(_DEFERRAL), at=at)
    history, settlement, *_, from_seq, final_seq = decode_result(_TYPES, data)
    return Standing(Hash32(history), Hash32(settlement), from_seq, final_seq)


class Deferral:
    """The deferrals of one asset's token, during one run."""

    def __init__(
        self,
        ledger: Ledger,
        asset: Asset,
        batches: Sequence[SealedBatch],
        *,
        limits: Limits,
        mode: Mode,
    ) -> None:
        """Look after `asset`, of which `batches` are sealed.

        A batch that has more than `limits` is cut; a deferral must end with those it began with.

        Raises:
            FieldError: the mode is "deferred", and the token cannot.
        """
        if mode == "deferred" and not can_defer(asset):
            raise FieldError(
                "mode",
                f"{asset.symbol} is a {asset.token_version}, which cannot defer balances: only an "
                f"asset created with --token-version {min(VERSIONS)} can",
            )
        self._ledger = ledger
        self._asset = asset
        self._batches = batches
        self._last_seq = batches[-1].batch.last_seq
        self._limits = limits
        self._most_rows = most_rows(limits)
        self._mode = mode
        self._plans: dict[tuple[int, int], _Plan] = {}
        self._checked: Announcement | None = None

    def runs(self, at: Position, last_seq: int) -> Iterator[Run]:
        """Yield what a contract at `at` lacks up to entry `last_seq`; raises as `due_runs`."""
        batches = [it for it in self._batches if it.batch.last_seq <= last_seq]
        for run, _ in due_runs(self._ledger, self._asset, batches, at, self._limits):
            yield run

    def due(self, standing: Standing, at: Position) -> DueCall | None:
        """Return what must be sent now to a contract at `at`, or None if a batch's turn is next.

        Raises:
            FieldError: the mode is "deferred" and it is not possible, or "exact" and too late.
            ForeignHistoryError: what was announced is not what this ledger comes to.
            CorruptError: stored balances are not what the entries come to.
        """
        if standing.final_seq == 0:
            return self._begin(at) if self._is_wanted(at) else None
        if self._mode == "exact":
            raise FieldError(
                "mode",
                f"{self._asset.symbol}: a deferral was begun, and ends only when entry "
                f"{standing.final_seq} is replayed and all is settled: run without --mode exact",
            )
        if at.last_seq == standing.from_seq and not self._is_announced(standing, at):
            return self._begin(at)  # nothing has followed: another announcement may take its place
        if at.last_seq < standing.final_seq:
            self._check_leads(standing, at)
            return None
        return self._settle(standing)

    def outlook(self, standing: Standing, at: Position) -> Outlook | None:
        """Return what a deferral takes from here on; None if there is none, and none is due.

        Raises:
            As `due`.
        """
        call = self.due(standing, at)
        begins = call is not None and call.purpose == "defer"
        if not begins and standing.final_seq == 0:
            return None
        final_seq = self._last_seq if begins else standing.final_seq
        ours = self._plan(at, final_seq).announcement if begins else self._announced(standing)
        rows = ours.rows if begins else ours.rows[ours.links.index(standing.settlement) :]
        gas = settling_gas(rows, most=self._most_rows, begins=begins)
        transactions = int(begins) + max(1, -(-len(rows) // self._most_rows))
        first_seq = at.last_seq + 1
        for run in self.runs(at, final_seq):
            gas, transactions, at = gas + batch_gas(run.payload), transactions + 1, run.after
        return Outlook(call, transactions, at.last_seq + 1 - first_seq, gas, at)

    # --- beginning ---

    def _is_wanted(self, at: Position) -> bool:
        """Tell whether a deferral should begin."""
        batches = sum(it.batch.last_seq > at.last_seq for it in self._batches)
        wants = self._mode == "deferred" or (self._mode == "auto" and batches > 1)
        if not (wants and batches and can_defer(self._asset)):
            return False
        plan = self._plan(at, self._last_seq)
        if self._mode == "auto":
            return plan.saves and not plan.obstacle
        if plan.obstacle:
            raise FieldError("mode", f"{self._asset.symbol}: {plan.obstacle}")
        return True

    def _is_announced(self, standing: Standing, at: Position) -> bool:
        """Tell whether the announcement is what this ledger comes to, before any batch."""
        if all(it.batch.last_seq != standing.final_seq for it in self._batches):
            return False
        ours = self._plan(at, standing.final_seq).announcement
        is_ours = (ours.final_history, ours.settlement) == (
            standing.final_history,
            standing.settlement,
        )
        if is_ours:
            self._checked = ours
        return is_ours

    def _begin(self, at: Position) -> DueCall:
        """Return the call that announces everything that is sealed."""
        plan = self._plan(at, self._last_seq)
        if plan.obstacle:
            raise FieldError("mode", f"{self._asset.symbol}: {plan.obstacle}")
        ours = plan.announcement
        what = f"{self._asset.symbol} deferral of {spanned(at.last_seq + 1, ours.final_seq)}"
        return DueCall("defer", what, ours.begin_call(), at.last_seq + 1, ours.final_seq)

    def _plan(self, at: Position, final_seq: int) -> _Plan:
        """Return what a deferral of the entries after `at` up to `final_seq` would be."""
        key = (at.last_seq, final_seq)
        if key not in self._plans:
            self._plans[key] = self._make_plan(at, final_seq)
        return self._plans[key]

    def _make_plan(self, at: Position, final_seq: int) -> _Plan:
        """Go through every record of a deferral, and compare with the balances that are stored."""
        before = self._balances(at.last_seq)
        held, history = dict(before), at.history
        exact = deferred = volume = 0
        for run in self.runs(at, final_seq):
            net: dict[Address, int] = {}
            volume += changes(decode_payload(run.payload), net)
            exact += exact_gas(run.payload, net, held)
            deferred += batch_gas(run.payload)
            for account, moved in net.items():
                held[account] = held.get(account, 0) + moved
            history = run.after.history
        self._check_balances(held, final_seq)
        ours = announce(history, final_seq, rows_between(before, held))
        deferred += settling_gas(ours.rows)
        return _Plan(ours, deferred < WORTH * exact, _obstacle(volume, before, held))

    def _check_balances(self, held: dict[Address, int], seq: int) -> None:
        """Raise CorruptError unless the balances that entries come to are those stored."""
        stored = self._balances(seq)
        for account in held.keys() | stored.keys():
            if held.get(account, 0) != stored.get(account, 0):
                raise CorruptError(
                    f"{self._asset.symbol}: the entries up to {seq} give {account} "
                    f"{held.get(account, 0)}, stored is {stored.get(account, 0)}, so nothing is "
                    "announced: run `evm-ledger audit`"
                )

    def _balances(self, seq: int) -> dict[Address, int]:
        """Return the balances right after entry `seq`, those of zero left out."""
        past = self._ledger.past_balances(seq, self._asset.symbol) if seq else ()
        return {it.address: it.balance for it in past if it.balance and it.account_id != ISSUER}

    # --- what was announced ---

    def _check_leads(self, standing: Standing, at: Position) -> None:
        """Raise ForeignHistoryError unless the batches to come lead to what was announced."""
        if self._checked is not None and self._checked.final_history == standing.final_history:
            return
        ours = self._announced(standing)
        history = at.history
        if standing.final_seq <= self._last_seq:
            for run in self.runs(at, standing.final_seq):
                history = run.after.history
        if (history, ours.settlement) != (standing.final_history, standing.settlement):
            raise ForeignHistoryError(
                f"{self._asset.symbol}: this ledger does not come to the history or the balances "
                f"that were announced for entry {standing.final_seq}, so nothing more is sent. If "
                "the deferral was begun with other limits of a transaction, give the same ones; if "
                "by another copy of this ledger, replay from that one"
            )
        self._checked = ours

    def _announced(self, standing: Standing) -> Announcement:
        """Return what this ledger announces for the entries of a deferral under way."""
        if standing.final_seq > self._last_seq:
            raise ForeignHistoryError(
                f"{self._asset.symbol}: a deferral up to entry {standing.final_seq} was begun, and "
                f"this ledger has sealed entries up to {self._last_seq} only"
            )
        before, after = map(self._balances, (standing.from_seq, standing.final_seq))
        rows = rows_between(before, after)
        return announce(standing.final_history, standing.final_seq, rows)

    def _settle(self, standing: Standing) -> DueCall:
        """Return the call that settles the next rows."""
        ours = self._checked
        if ours is None or ours.final_history != standing.final_history:
            ours = self._checked = self._announced(standing)
        if standing.settlement not in ours.links:
            raise ForeignHistoryError(
                f"{self._asset.symbol}: the balances announced for entry {standing.final_seq} are "
                "not this ledger's: run `evm-ledger audit`, and replay from the ledger that began"
            )
        call = next(ours.settle_calls(standing.settlement, self._most_rows))
        last = call.first + call.rows
        what = f"{self._asset.symbol} balances {call.first + 1} to {last} of {len(ours.rows)}"
        first_seq = standing.from_seq + 1
        return DueCall(
            "settle", what, call.data, first_seq, standing.final_seq, last, len(ours.rows)
        )


def _obstacle(volume: int, before: dict[Address, int], after: dict[Address, int]) -> str:
    """Return why a contract would not take a deferral, in words; empty if it would."""
    supply = max(sum(before.values()), sum(after.values()))
    if max(volume, supply) <= LIMIT:
        return ""
    what = "its entries move" if volume > LIMIT else "its supply is"
    return f"{what} more than 2**254 - 1 in all, so its balances cannot be deferred"
