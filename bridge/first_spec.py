"""The bridge under the names of the first specification: an address, and a ledger for a chain.

Its `import_chain_state` is in `bridge.chain_state`, its `ledger_chain_compatibility_report` in
`bridge.compatibility`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.artifacts import token_address
from bridge.batches import advanced, make_run, run_calldata, start
from bridge.chain import LOCAL_CHAIN_IDS
from bridge.coordinates import Journal, seal_logs
from bridge.families import check_supported
from bridge.files import placeholder_address
from bridge.keys import TEST_ADDRESS
from ledger.errors import CorruptError, FieldError
from ledger.ids import first_head
from ledger.merkle import Frontier
from ledger.model import Hash32
from ledger.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.batches import Position
    from bridge.codec import Log
    from ledger import Asset, Entry, Ledger
    from ledger.model import Address
    from ledger.results import Sealed, SealedBatch


def account_address(ledger: Ledger, account_id: str) -> Address:
    """Return the 20 bytes that an account has on every EVM chain; `str` has the EIP-55 checksum.

    Raises:
        NotFoundError: UNKNOWN_ACCOUNT.
    """
    return ledger.account(account_id).address


@dataclass(frozen=True, slots=True)
class ChainBatch:
    """A sealed batch as a chain takes it: one transaction to the asset's token."""

    symbol: str
    token: Address | None
    """Where the transaction goes; None until the asset has an operator."""
    sealed: SealedBatch
    prev_history: Hash32
    """What the contract's `history` must be before it."""
    history: Hash32
    """What it is after."""
    payload: bytes
    calldata: bytes
    """The whole call of `replay`, ready to be signed by the operator."""
    entries: tuple[Entry, ...]
    logs: tuple[Log, ...]
    """The `Transfer` of each entry. Address, topics and data are those of the chain; the place is
    the ledger's own (a seal is a block), because no block has them yet."""


def export_ledger_for_chain(
    ledger: Ledger,
    since: datetime | int | Hash32 | None = None,
    chain: int | str = "ethereum",
) -> Iterator[ChainBatch]:
    """Return every sealed batch from `since` on, seal by seal, ready for `chain`.

    A batch is replayed whole or not at all, so the first ones may begin before `since`. What is not
    sealed yet is in no batch. `replay` sends the same calldata, and looks where the chain stands.

    Args:
        ledger: whose batches.
        since: batches with an entry at or after a datetime; or those of a seal, by number or id,
            and of all after it. None is from the beginning.
        chain: a chain id, or the name of a family of chains.

    Raises:
        UnsupportedChainError: `chain` is of a family that a ledger cannot be put on.
        FieldError: `chain` is neither a chain id nor a name; `since` is of another type, has no
            offset, or names no seal.
        CorruptError: stored entries do not make the batch that was sealed: run `audit`.
    """
    check_supported(chain)
    first_seal, first_time = 0, 0
    if isinstance(since, datetime):
        first_time = microseconds(since, "since")
    elif since is not None:
        first_seal = _seal_number(ledger, since)
    assets = [_on(asset, chain) for asset in ledger.assets()]
    return _batches(ledger, assets, first_seal, first_time)


def _seal_number(ledger: Ledger, since: object) -> int:
    """Return the number of the seal that `since` names."""
    if type(since) is int:
        if not 1 <= since <= ledger.last_seal():
            raise FieldError("since", f"{since} is no seal of this ledger")
        return since
    if not isinstance(since, Hash32):
        raise FieldError("since", "must be a datetime, or the number or id of a seal")
    for sealed in ledger.seals():
        if sealed.id == since:
            return sealed.seal.number
    raise FieldError("since", f"{since} is the id of no seal of this ledger")


def _on(asset: Asset, chain: int | str) -> Asset:
    """Return `asset` with the operator that its token has on `chain`, as `tokens.on_chain`."""
    if asset.operator is None and chain in LOCAL_CHAIN_IDS:
        return replace(asset, operator=TEST_ADDRESS)
    return asset


def _batches(
    ledger: Ledger, assets: list[Asset], first_seal: int, first_time: int
) -> Iterator[ChainBatch]:
    """Yield the batches of every seal from `first_seal` on."""
    identity = ledger.identity
    tokens = {asset.symbol: token_address(identity.ledger_id, asset) for asset in assets}
    at = {asset.symbol: start(first_head(identity.domain, asset.id)) for asset in assets}
    for sealed in ledger.seals():
        wanted = [
            batch
            for batch in sealed.batches
            if sealed.seal.number >= first_seal and _is_since(ledger, batch, first_time)
        ]
        entries = {batch.symbol: _entries(ledger, batch) for batch in wanted}
        logs = _logs(sealed, wanted, entries, tokens)
        for batch in sealed.batches:
            before = at[batch.symbol]
            frontier = Frontier.from_bytes(batch.frontier)
            after = advanced(identity.domain, batch.batch, before.history, frontier)
            at[batch.symbol] = after
            if batch.symbol in entries:
                own = entries[batch.symbol]
                token = tokens[batch.symbol]
                yield _batch(identity.domain, batch, before, own, token, logs[batch.symbol])


def _is_since(ledger: Ledger, batch: SealedBatch, first_time: int) -> bool:
    """Tell whether the last entry of a batch is at or after `first_time`."""
    last = batch.batch.last_seq
    return first_time == 0 or any(
        entry.timestamp >= first_time for entry in ledger.entries(batch.symbol, last, last)
    )


def _entries(ledger: Ledger, batch: SealedBatch) -> tuple[Entry, ...]:
    """Return the entries of a batch."""
    return tuple(ledger.entries(batch.symbol, batch.batch.first_seq, batch.batch.last_seq))


def _logs(
    sealed: Sealed,
    batches: list[SealedBatch],
    entries: dict[str, tuple[Entry, ...]],
    tokens: dict[str, Address | None],
) -> dict[str, list[Log]]:
    """Return the logs of one seal, by symbol."""
    journals = [
        Journal(
            batch.symbol,
            batch.batch.asset,
            tokens[batch.symbol] or placeholder_address(batch.batch.asset),
            entries[batch.symbol],
        )
        for batch in batches
    ]
    symbols = {journal.address: journal.symbol for journal in journals}
    found: dict[str, list[Log]] = defaultdict(list)
    for log in seal_logs(sealed.seal.number, sealed.id, journals):
        found[symbols[log.address]].append(log)
    return found


def _batch(  # noqa: PLR0917 (one caller)
    domain: Hash32,
    sealed: SealedBatch,
    at: Position,
    entries: tuple[Entry, ...],
    token: Address | None,
    logs: list[Log],
) -> ChainBatch:
    """Return a batch as `replay` sends it where the contract stands `at`."""
    run = make_run(domain, sealed.batch.asset, entries, at) if entries else None
    if run is None or run.batch != sealed.batch:
        raise CorruptError(
            f"{sealed.symbol}: the entries are not those that seal {sealed.seal} sealed: run "
            "`evm-ledger audit`"
        )
    return ChainBatch(
        symbol=sealed.symbol,
        token=token,
        sealed=sealed,
        prev_history=run.prev_history,
        history=run.after.history,
        payload=run.payload,
        calldata=run_calldata(run),
        entries=entries,
        logs=tuple(logs),
    )
