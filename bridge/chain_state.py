"""What a chain says, as entries: balances of another token there, or its `Transfer` logs.

A token that is live is followed, not imported: this is for what was counted elsewhere before, or
still is. Balances come in as what changed since they were last imported from that chain, so that
what accounts did in the ledger meanwhile stands; logs come in once each, by their coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from bridge.artifacts import token_address
from bridge.codec import Log, transfer_record
from bridge.errors import ChainError
from bridge.families import check_chain_id
from ledger import (
    ISSUER,
    FieldError,
    Group,
    Kind,
    Movement,
    NotFoundError,
    OpenAccount,
    RefusedError,
)
from ledger.amounts import check_amount
from ledger.ids import chain_cause
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from ledger.rules import MAX_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger import Asset, Entry, Ledger, Receipt
    from ledger.requests import Item

Balances: TypeAlias = "Mapping[str, int] | Mapping[Address, int]"
"""Base units by address."""
Logs: TypeAlias = "Iterable[Log] | Iterable[Mapping[str, Any]]"
"""As `eth_getLogs` returns them."""

_MOST_IMPORTS: Final = 1_000
"""Of balances, for one account: what one read finds."""


@dataclass(frozen=True, slots=True)
class StateDifference:
    """An address that has another balance on the chain than its account has in the ledger."""

    address: Address
    account_id: str
    on_chain: int
    in_ledger: int
    """Before the import; 0 where there is no account yet."""


@dataclass(frozen=True, slots=True)
class StateImport:
    """What an import posted, or would post."""

    source_chain: int
    asset: str
    dry_run: bool
    new_accounts: tuple[str, ...]
    """Opened for addresses that no account had; each id is its address."""
    entries: tuple[Entry, ...]
    """In the order in which they were posted. Those of a dry run are gone."""
    repeated: int
    """Movements that an earlier import had posted."""
    skipped: int
    """Logs that are no ERC-20 transfer."""
    refused: tuple[RefusedError, ...]
    """Of a dry run: why nothing could be posted."""
    differences: tuple[StateDifference, ...]
    """Of an import of balances, by address."""

    @property
    def minted(self) -> int:
        """Base units that came into the ledger."""
        return sum(entry.amount for entry in self.entries if entry.from_account == ISSUER)

    @property
    def burned(self) -> int:
        """Base units that left it."""
        return sum(entry.amount for entry in self.entries if entry.to_account == ISSUER)


def import_chain_state(
    ledger: Ledger,
    state: Balances | Logs,
    source_chain: int,
    dry_run: bool = True,  # noqa: FBT001, FBT002 (as above)
    *,
    asset: str | None = None,
) -> StateImport:
    """Book what `source_chain` says of another token, or with `dry_run` say what would be booked.

    `state` is a mapping of addresses to balances: what each has more than when it was last imported
    from that chain is minted, what it has less is burned. Or it is the `Transfer` logs of a token:
    each becomes an entry of kind `chain` whose cause is its coordinates, a transaction a group. An
    address that no account has becomes an account whose id it is. All is posted in one transaction
    or nothing, and what was imported before is not imported again.

    Args:
        ledger: where it is booked.
        state: integers in the asset's base units; addresses as 0x and hex digits, or `Address`.
        source_chain: the chain id, part of every key and cause.
        dry_run: run the real path, and take it back.
        asset: the symbol; the ledger's only asset unless given. One source chain and one token on
            it for each asset: two tokens with the same holders cannot be told apart.

    Raises:
        FieldError: `dry_run` is no bool; `source_chain` is no chain id; `state` is malformed,
            contradicts itself, or is of this ledger's own token; an amount is no int of
            0 .. 2**256 - 1. It names the row.
        RefusedError: not in a dry run: the first refusal; nothing was posted.
    """
    if not isinstance(dry_run, bool):  # what only looks false would book
        raise FieldError("dry_run", "must be True or False")
    check_chain_id(source_chain, "source_chain")
    if isinstance(state, str | bytes) or not isinstance(state, Iterable):
        raise FieldError("state", "must be balances by address, or `Transfer` logs")
    found = ledger.asset(asset)
    if isinstance(state, Mapping):
        stated = _read_balances(ledger, found, state, source_chain)
    else:
        stated = _read_logs(ledger, found, state, source_chain)
    return _post(ledger, found, source_chain, stated, dry_run=dry_run)


# --- what a state says ---


class _Moved(NamedTuple):
    """A movement between addresses; zero is the issuer."""

    from_: Address
    to: Address
    amount: int
    reason: str
    reference: tuple[str, str]
    cause: Hash32 = ZERO_HASH


class _Step(NamedTuple):
    """Movements that belong together, under one idempotency key."""

    movements: Sequence[_Moved]
    key: str


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a state says is to be booked."""

    steps: Sequence[_Step]
    skipped: int
    balances: Mapping[Address, int]
    """By address, ascending; none of logs."""

    def addresses(self) -> list[Address]:
        """Return everybody who is in it, ascending; not the issuer."""
        moved = (moved for step in self.steps for moved in step.movements)
        found = {address for one in moved for address in (one.from_, one.to)}
        return sorted((found | self.balances.keys()) - {ZERO_ADDRESS})


def _read_balances(
    ledger: Ledger, asset: Asset, state: Mapping[Any, int], source_chain: int
) -> _Stated:
    """Return what changed since balances were last imported from that chain."""
    balances: dict[Address, int] = {}
    for key, amount in state.items():
        address = _address(key)
        if address in balances:
            raise FieldError("state", f"{address} is in it twice")
        balances[address] = check_amount(amount, f"state[{address}]")
    skipped = int(balances.pop(ZERO_ADDRESS, 0) > 0)  # nobody has what was sent there
    balances = dict(sorted(balances.items()))
    steps = []
    for address, amount in balances.items():
        reference = ("chain balance", f"eip155:{source_chain}:{str(address).lower()}")
        count, had = _imported(ledger, asset, reference)
        if amount != had:
            ends = (ZERO_ADDRESS, address) if amount > had else (address, ZERO_ADDRESS)
            moved = _Moved(*ends, abs(amount - had), "chain balance", reference)
            steps.append(_Step((moved,), f"{reference[1]}:{asset.symbol}:{count + 1}"))
    return _Stated(steps, skipped, balances)


def _address(found: object) -> Address:
    """Return an address as a state has it: bytes, or 0x and hex digits in any case."""
    if isinstance(found, Address):
        return found
    try:
        return Address.parse(str(found))
    except ValueError:
        raise FieldError("state", f"{found!r} is no address") from None


def _imported(ledger: Ledger, asset: Asset, reference: tuple[str, str]) -> tuple[int, int]:
    """Return how often a balance was imported, and how much came in by that."""
    found = ledger.referenced(*reference, limit=_MOST_IMPORTS)
    if len(found) == _MOST_IMPORTS:
        raise FieldError("state", f"{reference[1]} was imported {_MOST_IMPORTS} times: no more")
    own = [entry for entry in found if entry.asset == asset.symbol]
    minted = sum(entry.amount for entry in own if entry.from_account == ISSUER)
    return len(own), minted - sum(entry.amount for entry in own if entry.to_account == ISSUER)


def _read_logs(ledger: Ledger, asset: Asset, state: Logs, source_chain: int) -> _Stated:
    """Return the transfers in `state`, in the chain's order, a transaction a step."""
    logs = sorted((_log(row, found) for row, found in enumerate(state)), key=_order)
    for earlier, later in pairwise(logs):
        if _order(earlier) == _order(later):
            block, index = _order(later)
            raise FieldError("state", f"log {index} of block {block} is in it twice")
    _check_token(ledger, {log.address for log in logs})
    steps = [
        step
        for _, together in groupby(logs, key=lambda log: log.place.transaction_hash)
        for step in _steps(asset, source_chain, together)
    ]
    return _Stated(steps, len(logs) - sum(len(step.movements) for step in steps), {})


def _log(row: int, found: Any) -> Log:  # noqa: ANN401 (JSON is anything)
    """Return a log of the state."""
    if isinstance(found, Log):
        return found
    try:
        return Log.parse(found)
    except ChainError:
        raise FieldError(f"state[{row}]", "is no log as `eth_getLogs` returns it") from None


def _order(log: Log) -> tuple[int, int]:
    """Return where a log is on its chain."""
    return log.place.block_number, log.place.log_index


def _check_token(ledger: Ledger, addresses: set[Address]) -> None:
    """Refuse logs of several contracts, and of this ledger's own."""
    if len(addresses) > 1:
        raise FieldError("state", f"the logs are of {len(addresses)} contracts: give those of one")
    for asset in ledger.assets():
        if token_address(ledger.identity.ledger_id, asset) in addresses:
            raise FieldError(
                "state",
                f"the logs are those of {asset.symbol} itself, whose entries are here: "
                "`evm-ledger chain verify` compares them",
            )


def _steps(asset: Asset, source_chain: int, logs: Iterable[Log]) -> Iterator[_Step]:
    """Yield the transfers of one transaction: one step, or as many as groups are needed."""
    moved = []
    for log in logs:
        record = transfer_record(log)
        if record is not None:
            place = log.place
            cause = chain_cause(source_chain, place.block_hash, place.log_index)
            reference = ("transaction", str(place.transaction_hash))
            moved.append(_Moved(*record, "chain transfer", reference, cause))
    for first in range(0, len(moved), MAX_GROUP):
        part = moved[first : first + MAX_GROUP]
        key = f"eip155:{source_chain}:{part[0].reference[1]}:{asset.symbol}:{first}"
        yield _Step(part, key)


# --- booking it ---


def _post(
    ledger: Ledger, asset: Asset, source_chain: int, stated: _Stated, *, dry_run: bool
) -> StateImport:
    """Post what a state says, or rehearse it."""
    accounts, opened = _accounts(ledger, stated.addresses())
    differences = tuple(_differences(ledger, asset, stated.balances, accounts, set(opened)))
    items: list[Item] = [OpenAccount(account_id, 0, asset.symbol) for account_id in opened]
    items += (_item(asset, step, accounts) for step in stated.steps)
    post = partial(ledger.post_many, dry_run=True) if dry_run else partial(_post_all, ledger, asset)
    results = post(items)
    receipts = [result for result in results if not isinstance(result, RefusedError)]
    return StateImport(
        source_chain=source_chain,
        asset=asset.symbol,
        dry_run=dry_run,
        new_accounts=tuple(opened),
        entries=tuple(entry for one in receipts if not one.repeated for entry in one.entries),
        repeated=sum(len(one.entries) for one in receipts if one.repeated),
        skipped=stated.skipped,
        refused=tuple(result for result in results if isinstance(result, RefusedError)),
        differences=differences,
    )


def _post_all(ledger: Ledger, asset: Asset, items: Sequence[Item]) -> list[Receipt | RefusedError]:
    """Post `items` in one transaction; raise the first refusal, and nothing is posted."""
    with ledger.connection() as connection:
        results = ledger.on(connection, asset.symbol, accounts=True).post_many(items)
        for result in results:
            if isinstance(result, RefusedError):
                raise result
    return results


def _accounts(ledger: Ledger, addresses: Iterable[Address]) -> tuple[dict[Address, str], list[str]]:
    """Return the account of each address, and the ids of those that must be opened."""
    accounts, opened = {ZERO_ADDRESS: ISSUER}, []
    for address in addresses:
        try:
            accounts[address] = ledger.account_with(address).account_id
        except NotFoundError:
            accounts[address] = str(address).lower()
            opened.append(accounts[address])
    return accounts, opened


def _differences(
    ledger: Ledger,
    asset: Asset,
    balances: Mapping[Address, int],
    accounts: Mapping[Address, str],
    opened: set[str],
) -> Iterator[StateDifference]:
    """Yield what differs between the chain's balances and the ledger's."""
    for address, on_chain in balances.items():
        account_id = accounts[address]
        had = 0 if account_id in opened else ledger.get_balance(account_id, asset.symbol)
        if had != on_chain:
            yield StateDifference(address, account_id, on_chain, had)


def _item(asset: Asset, step: _Step, accounts: Mapping[Address, str]) -> Item:
    """Return what books a step: a movement, or the group of a transaction."""
    movements = tuple(
        Movement(
            accounts[moved.from_],
            accounts[moved.to],
            moved.amount,
            asset.symbol,
            reason=moved.reason,
            reference_type=moved.reference[0],
            reference_id=moved.reference[1],
            kind=Kind.PLAIN if moved.cause == ZERO_HASH else Kind.CHAIN,
            cause=moved.cause,
            idempotency_key=step.key if moved.cause == ZERO_HASH else "",
        )
        for moved in step.movements
    )
    return Group(movements, step.key) if movements[0].cause != ZERO_HASH else movements[0]
