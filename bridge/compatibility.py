"""How a ledger and chains fit: what becomes of each field, and what of this ledger does not fit.

No node is asked. `chain plan` says what a migration costs, `chain verify` whether it went well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.artifacts import token_address
from bridge.families import ABOUT, FIELDS, Family, Fate
from bridge.keys import PUBLIC_ADDRESSES
from bridge.progress import Progress, ReportProgress, ignore
from ledger.errors import NotFoundError
from ledger.model import HoldState, Status
from ledger.views import aligned, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.families import Mapped
    from ledger import Account, Asset, Ledger

WALLET_SYMBOL: Final = 11
"""Wallets take no longer symbols (EIP-747)."""
_EXACT_DOUBLE: Final = 2**53
_UINT64: Final = 2**64


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing about this ledger that matters on a chain."""

    about: str
    """An asset's symbol, or "accounts"."""
    text: str
    stops: bool
    """Whether a command refuses until it is mended; otherwise somebody should know."""


@dataclass(frozen=True, slots=True)
class CompatibilityReport:
    """What becomes of a ledger on each family of chains."""

    fields: tuple[Mapped, ...]
    facts: tuple[Fact, ...]

    @property
    def stops(self) -> tuple[Fact, ...]:
        """What a command refuses until it is mended."""
        return tuple(fact for fact in self.facts if fact.stops)

    def lost(self, family: Family) -> tuple[Mapped, ...]:
        """Return the fields that chains of `family` cannot have."""
        return tuple(row for row in self.fields if row.on(family)[0] == Fate.LOST)

    def __str__(self) -> str:
        rows = [(it.name, it.fate.value, it.becomes) for it in self.fields]
        cells = [("field", "is", "on an EVM chain"), *rows]
        widths = [max(len(line[column]) for line in cells) for column in range(3)]
        lines = [aligned(line, widths) for line in cells]
        for family in Family:
            lines += ["", f"{family}: {ABOUT[family]}"]
            reasons: dict[str, list[str]] = {}
            for it in self.lost(family):
                reasons.setdefault(it.on(family)[1], []).append(it.name)
            lines += (f"  lost: {', '.join(them)} ({why})" for why, them in reasons.items())
        lines += ["", "this ledger:"]
        lines += (
            f"  {'stops' if fact.stops else 'note '}  {fact.about}: {fact.text}"
            for fact in self.facts
        )
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """Return the report as JSON has it: the fate of each field by family."""
        return {
            "families": {
                family: {"supported": family.is_supported, "about": ABOUT[family]}
                for family in Family
            },
            "fields": [
                {
                    "subject": row.subject,
                    "field": row.field,
                    "on": {
                        family: dict(zip(("fate", "becomes"), row.on(family), strict=True))
                        for family in Family
                    },
                }
                for row in self.fields
            ],
            "ledger": [
                {"about": fact.about, "text": fact.text, "stops": fact.stops} for fact in self.facts
            ],
        }


def ledger_chain_compatibility_report(
    ledger: Ledger, *, progress: ReportProgress = ignore
) -> CompatibilityReport:
    """Say what becomes of each field on each family of chains, and what of `ledger` does not fit.

    Reads every entry once. Nothing is changed and no node is asked.

    Raises:
        BusyError, DatabaseFileError: the ledger cannot be read.
    """
    assets = ledger.assets()
    heads = {asset.symbol: ledger.head(asset.symbol).seq for asset in assets}
    report = _Scan(ledger, sum(heads.values()), progress)
    facts = [*_account_facts(ledger)]
    for asset in assets:
        facts += report.facts(asset, heads[asset.symbol])
    return CompatibilityReport(FIELDS, tuple(facts))


# --- accounts ---


def _account_facts(ledger: Ledger) -> Iterator[Fact]:
    """Yield what about the accounts matters on a chain."""
    identity = ledger.identity
    count: Counter[str] = Counter()
    for account in ledger.accounts():
        count.update(_kinds(account, identity.registrar))
    yield _note(
        "accounts",
        f"{count['derived']} with a derived address (claimed through the registrar), "
        f"{count['own']} whose id or given address is their own",
    )
    if count["default"] and identity.own_registrar:
        yield _stop(
            "accounts",
            f"the registrar of {count['default']} is the ledger's own key, which lies in this "
            "database: `chain deploy` refuses every chain but a local test chain",
        )
    if count["public"]:
        yield _stop("accounts", f"everybody has the key of the registrar of {count['public']}")
    if count["frozen"]:
        yield _stop("accounts", f"{count['frozen']} frozen: finalize refuses until they are not")
    if identity.pepper is None:
        yield _note(
            "accounts", "imported without the pepper: nothing can be posted or claimed here"
        )


def _kinds(account: Account, registrar: object) -> Iterator[str]:
    """Yield what an account counts as."""
    if account.derived:
        yield "derived"
        if account.registrar == registrar:
            yield "default"
        if account.registrar in PUBLIC_ADDRESSES:
            yield "public"
    elif any(account.address):
        yield "own"
    if account.status == Status.FROZEN:
        yield "frozen"


# --- assets ---


class _Scan:
    """One pass over the entries of each asset."""

    def __init__(self, ledger: Ledger, total: int, progress: ReportProgress) -> None:
        self._ledger = ledger
        self._total = total
        self._done = 0
        self._progress = progress

    def facts(self, asset: Asset, last: int) -> Iterator[Fact]:
        """Yield what about an asset matters on a chain."""
        symbol, sealed = asset.symbol, self._sealed(asset)
        yield from self._token_facts(asset)
        yield from self._entry_facts(asset, last)
        if sealed < last:
            yield _stop(
                symbol, f"not sealed yet, so not replayed: {last - sealed} (evm-ledger seal)"
            )
        holds = sum(1 for _ in self._ledger.holds(asset=symbol, state=HoldState.PENDING))
        if holds:
            yield _stop(
                symbol, f"{counted(holds, 'hold')} pending: finalize refuses until resolved"
            )
        limited = sum(
            1
            for balance in self._ledger.balances(symbol)
            if balance.max_debit is not None or balance.max_balance is not None
        )
        if limited:
            yield _note(symbol, f"{counted(limited, 'account')} with limits, which no token knows")

    def _sealed(self, asset: Asset) -> int:
        """Return the last entry of an asset that is sealed."""
        last = self._ledger.last_seal()
        batch = self._ledger.batch_until(last, asset.symbol) if last else None
        return batch.batch.last_seq if batch else 0

    def _token_facts(self, asset: Asset) -> Iterator[Fact]:
        """Yield what follows from the asset's own terms."""
        symbol = asset.symbol
        token = token_address(self._ledger.identity.ledger_id, asset)
        if token is None:
            yield _note(symbol, "no operator yet: who signs the first deployment is it, for good")
        elif asset.operator in PUBLIC_ADDRESSES:
            yield _stop(symbol, f"everybody has the key of its operator, {asset.operator}")
        else:
            yield _note(symbol, f"its token will be at {token} on every EVM chain")
            yield from self._stranded(symbol, str(token).lower())
        if len(symbol) > WALLET_SYMBOL or not symbol.isascii():
            yield _note(symbol, f"wallets show symbols of ASCII up to {WALLET_SYMBOL} (EIP-747)")
        if asset.decimals > 18:  # noqa: PLR2004 (what everybody uses)
            yield _note(symbol, f"{asset.decimals} decimals: programs seldom expect more than 18")

    def _stranded(self, symbol: str, token: str) -> Iterator[Fact]:
        """Yield the account at a token's own address, if it holds anything."""
        try:
            account = self._ledger.account(token)
        except NotFoundError:
            return
        if any(self._ledger.get_balance(token, it.symbol) for it in self._ledger.assets()):
            yield _stop(symbol, f"account {account.account_id} is the token itself and holds some")

    def _entry_facts(self, asset: Asset, last: int) -> Iterator[Fact]:
        """Yield what follows from the entries up to `last`."""
        texts, largest = 0, 0
        for entry in self._ledger.entries(asset.symbol, 1, last):
            largest = max(largest, entry.amount, entry.balance_after_from, entry.balance_after_to)
            texts += bool(entry.reason or entry.reference_id or entry.memo or entry.idempotency_key)
            self._done += 1
            self._progress(Progress("entries", self._done, self._total))
        fits = "fits 256 bits, as all do"
        if largest >= _UINT64:
            fits += ", not the 64 of Solana"
        if largest >= _EXACT_DOUBLE:
            fits += "; programs that read JSON numbers as doubles round it, so files have strings"
        yield _note(
            asset.symbol,
            f"{counted(last, 'entry', 'entries')}; the largest number, {largest}, {fits}",
        )
        if texts:
            yield _note(
                asset.symbol,
                f"{texts} with texts, which are in no topic: keep the export, the chain has "
                "their hashes only",
            )


def _note(about: str, text: str) -> Fact:
    """Return a fact that stops nothing."""
    return Fact(about, text, stops=False)


def _stop(about: str, text: str) -> Fact:
    """Return a fact that a command refuses."""
    return Fact(about, text, stops=True)
