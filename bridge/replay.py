"""Sealed batches onto a chain, each exactly once.

The contract's `history` is the truth: it says where the contract stands, whatever this database
or the last run believed, and the contract refuses a batch that does not follow it. So this can be
stopped anywhere and run again, and a run that finds nothing to do sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from bridge.batches import Position, Run, advanced, cut, make_run, start
from bridge.codec import BATCH_REPLAYED, BatchReplayed, encode_call
from bridge.errors import (
    ChainError,
    ForeignHistoryError,
    NoAnswerError,
    OperatorError,
    RpcError,
    TransactionError,
)
from bridge.keys import TEST_ADDRESS
from bridge.outbox import Outbox, Submission
from bridge.progress import Progress, ReportProgress, ignore
from bridge.tokens import Token, check_operators, read_batches, read_token
from ledger.checks import recomputed
from ledger.errors import CorruptError
from ledger.ids import first_head
from ledger.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.chain import Chain, TransactionReceipt
    from bridge.keys import TransactionSigner
    from bridge.outbox import Status
    from ledger import Ledger
    from ledger.model import Address, Hash32
    from ledger.results import Asset, Entry, SealedBatch

_REPLAY = "replay(bytes32,bytes32,bytes32,bytes)"


@dataclass(frozen=True, slots=True)
class AssetReplay:
    """What one run did for one asset."""

    symbol: str
    token: Address
    batches: int
    """Batches sent by this run."""
    entries: int
    """Entries in them."""
    replayed: int
    """Entries on the chain now."""
    unsealed: int
    """Entries that are in no seal yet, so that they are not replayed."""
    gas_used: int
    transactions: tuple[Hash32, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What one run did."""

    chain_id: int
    assets: tuple[AssetReplay, ...]

    @property
    def batches(self) -> int:
        """Batches sent by this run, one transaction each."""
        return sum(asset.batches for asset in self.assets)

    @property
    def entries(self) -> int:
        """Entries in them."""
        return sum(asset.entries for asset in self.assets)

    @property
    def unsealed(self) -> int:
        """Entries that are in no seal yet."""
        return sum(asset.unsealed for asset in self.assets)

    @property
    def gas_used(self) -> int:
        """Gas of all transactions of this run."""
        return sum(asset.gas_used for asset in self.assets)


def replay(
    ledger: Ledger, chain: Chain, signer: TransactionSigner, *, progress: ReportProgress = ignore
) -> ReplayReport:
    """Send every sealed batch that the chain does not have yet, asset by asset.

    Raises:
        NoContractError, ForeignContractError: a token is missing, or is not this ledger's.
        ForeignHistoryError: a contract holds batches that are not this ledger's.
        OperatorError: `signer` may not replay.
        CustodyError: the chain is not a local test chain, and everybody has the operator's key.
        CorruptError: stored entries do not recompute; nothing of their batch is sent.
        ChainError: the node does not do its part. Run again: it goes on where the chain stands.
    """
    try:
        return _Replay(ledger, chain, signer, progress).run()
    except NoAnswerError as error:
        raise NoAnswerError(
            f"{error} Nothing is lost: run `evm-ledger chain replay` again, it goes on where the "
            "chain stands"
        ) from error


class _Sent(NamedTuple):
    """A mined transaction, without its thousands of logs."""

    hash: Hash32
    gas_used: int


class _Replay:
    """One run over all assets."""

    def __init__(
        self, ledger: Ledger, chain: Chain, signer: TransactionSigner, progress: ReportProgress
    ) -> None:
        self._ledger = ledger
        self._chain = chain
        self._signer = signer
        self._progress = progress
        self._done = 0
        self._sealed: dict[str, list[SealedBatch]] = {}
        for sealed in ledger.seals():
            for batch in sealed.batches:
                self._sealed.setdefault(batch.symbol, []).append(batch)
        self._total = sum(batches[-1].batch.last_seq for batches in self._sealed.values())

    def run(self) -> ReplayReport:
        """Replay each asset that has sealed entries."""
        assets = [asset for asset in self._ledger.assets() if asset.symbol in self._sealed]
        check_operators(self._chain, assets, self._signer)
        done = tuple(self._replay_asset(asset) for asset in assets)
        return ReplayReport(self._chain.chain_id, done)

    def _replay_asset(self, asset: Asset) -> AssetReplay:
        """Send the batches of one asset that its contract does not have."""
        token = self._read(asset)
        outbox = Outbox(self._ledger, asset, self._chain.chain_id, token.address)
        if unfinished := outbox.unfinished():
            for submission in unfinished:
                _settle(self._chain, outbox, token, submission)
            token = self._read(asset)
        sealed = self._sealed[asset.symbol]
        at = locate(self._ledger, self._chain, token, sealed)
        self._advance(at.last_seq)
        sent: list[_Sent] = []
        before = at.last_seq
        if sealed[-1].batch.last_seq > at.last_seq:
            _check_operator(token, self._signer)
        for batch in sealed:
            if batch.batch.last_seq > at.last_seq:
                at = self._send_batch(asset, batch, at, outbox, sent)
        return AssetReplay(
            symbol=asset.symbol,
            token=token.address,
            batches=len(sent),
            entries=at.last_seq - before,
            replayed=at.last_seq,
            unsealed=self._ledger.head(asset.symbol).seq - sealed[-1].batch.last_seq,
            gas_used=sum(gas_used for _, gas_used in sent),
            transactions=tuple(hash_ for hash_, _ in sent),
        )

    def _read(self, asset: Asset) -> Token:
        """Return the token of `asset` as it is now."""
        return read_token(self._chain, self._ledger.identity, asset, self._chain.block())

    def _send_batch(
        self,
        asset: Asset,
        sealed: SealedBatch,
        at: Position,
        outbox: Outbox,
        sent: list[_Sent],
    ) -> Position:
        """Send what the contract does not have of one batch; return where it stands then."""
        last = sealed.batch.last_seq
        entries = list(self._ledger.entries(asset.symbol, at.last_seq + 1, last))
        domain = self._ledger.identity.domain
        _check_entries(domain, asset, at, sealed, entries)
        taken = 0
        for count in cut(entries):
            run = make_run(domain, asset.id, entries[taken : taken + count], at)
            receipt = self._send_run(asset, run, outbox)
            sent.append(_Sent(receipt.hash, receipt.gas_used))
            taken, at = taken + count, run.after
            self._advance(count)
        return at

    def _send_run(self, asset: Asset, run: Run, outbox: Outbox) -> TransactionReceipt:
        """Ask whether the contract would take `run`, save the transaction, send it, look."""
        chain, signer = self._chain, self._signer
        batch = run.batch
        what = f"{asset.symbol} entries {batch.first_seq} to {batch.last_seq}"
        token = outbox.contract
        data = encode_call(_REPLAY, run.prev_history, batch.new_head, batch.tree_root, run.payload)
        try:
            chain.call(token, data, sender=signer.address)
            gas = chain.estimate_gas(signer.address, token, data)
        except RpcError as error:
            raise TransactionError(f"{what}: the contract would refuse them ({error})") from error
        signed = chain.transact(signer, token, data, gas=gas + gas // 16)
        outbox.save(run, signed)
        chain.send(signed)
        outbox.mark(signed.hash, "sent")
        receipt = chain.wait(signed.hash)
        outbox.mark(signed.hash, _status(receipt), receipt.block_number)
        if not receipt.succeeded:
            raise TransactionError(f"{what}: transaction {signed.hash} was mined and failed")
        _check_event(receipt, run, token, what)
        return receipt

    def _advance(self, entries: int) -> None:
        """Say that `entries` more are on the chain."""
        self._done += entries
        self._progress(Progress("entries", self._done, self._total))


# --- where a contract stands ---


def locate(ledger: Ledger, chain: Chain, token: Token, sealed: Sequence[SealedBatch]) -> Position:
    """Return where `token` stands in its asset's journal, recomputed from the ledger.

    Raises:
        ForeignHistoryError: its history is not one of this ledger's; names the first batch.
    """
    identity = ledger.identity
    at = start(first_head(identity.domain, token.asset.id))
    for stored in sealed[: token.batches]:
        frontier = Frontier.from_bytes(stored.frontier)
        at = advanced(identity.domain, stored.batch, at.history, frontier)
    if (at.number, at.history) == (token.batches, token.history):
        return at
    return _locate_by_events(ledger, chain, token, sealed)


def _locate_by_events(
    ledger: Ledger, chain: Chain, token: Token, sealed: Sequence[SealedBatch]
) -> Position:
    """Return where `token` stands, by the cuts that its events name."""
    domain, asset = ledger.identity.domain, token.asset
    last_sealed = sealed[-1].batch.last_seq
    whole = {(s.batch.first_seq, s.batch.last_seq): s for s in sealed}
    at = start(first_head(domain, asset.id))
    for event in read_batches(chain, token, chain.block()):
        stored = whole.get((event.first_seq, event.last_seq))
        if event.first_seq != at.last_seq + 1 or event.last_seq > last_sealed:
            raise _foreign(asset, event)
        if stored:
            batch = replace(stored.batch, number=event.number)
            at = advanced(domain, batch, at.history, Frontier.from_bytes(stored.frontier))
        else:
            entries = list(ledger.entries(asset.symbol, event.first_seq, event.last_seq))
            at = make_run(domain, asset.id, entries, at).after
        if at.history != event.history:
            raise _foreign(asset, event)
    if at.history != token.history:
        raise ChainError(f"{asset.symbol}: the contract moved while it was read: run again")
    return at


def _foreign(asset: Asset, event: BatchReplayed) -> ForeignHistoryError:
    """Return the error that names the first batch that is not ours."""
    return ForeignHistoryError(
        f"{asset.symbol}: batch {event.number} on the chain (entries {event.first_seq} to "
        f"{event.last_seq}) is not this ledger's: `evm-ledger chain verify` names each difference"
    )


# --- checks ---


def _check_operator(token: Token, signer: TransactionSigner) -> None:
    """Raise OperatorError unless `signer` may replay."""
    symbol = token.asset.symbol
    if token.live:
        raise OperatorError(f"{symbol}: the token is live, nothing can be replayed any more")
    if token.operator == TEST_ADDRESS != signer.address:
        raise OperatorError(
            f"{symbol}: the operator on this chain is the public test key: replay without "
            "--keystore, or run `evm-ledger chain deploy` with yours first"
        )
    if token.operator != signer.address:
        raise OperatorError(
            f"{symbol}: the token's operator is {token.operator}, the key given is that of "
            f"{signer.address}: give the operator's keystore file"
        )


def _check_entries(
    domain: Hash32, asset: Asset, at: Position, sealed: SealedBatch, entries: Sequence[Entry]
) -> None:
    """Raise CorruptError unless `entries` recompute, from `at` to the head that was sealed.

    What is on a chain stays there, so nothing is sent that an audit would refuse.
    """
    head: bytes = at.head
    for seq, entry in enumerate(entries, start=at.last_seq + 1):
        expected = recomputed(domain, asset.id, head, entry)
        if entry.seq != seq or (entry.id, entry.head) != expected:
            raise CorruptError(
                f"{asset.symbol} entry {entry.seq} does not recompute, so nothing of its batch is "
                "sent: run `evm-ledger audit`"
            )
        head = entry.head
    if head != sealed.batch.new_head:
        raise CorruptError(
            f"{asset.symbol}: entries up to {sealed.batch.last_seq} are not those that seal "
            f"{sealed.seal} sealed: run `evm-ledger audit`"
        )


def _check_event(receipt: TransactionReceipt, run: Run, token: Address, what: str) -> None:
    """Raise ChainError unless the contract says that it did exactly `run`."""
    events = [
        BatchReplayed.parse(log)
        for log in receipt.logs
        if log.address == token and log.topics[:1] == (BATCH_REPLAYED,)
    ]
    if [event.history for event in events] != [run.after.history]:
        raise ChainError(f"{what}: the contract did something else: run `evm-ledger chain verify`")


# --- transactions of earlier runs ---


def _settle(chain: Chain, outbox: Outbox, token: Token, submission: Submission) -> None:
    """Find out what became of a transaction of an earlier run; broadcast it again if it is due."""
    signed = submission.signed
    receipt = chain.receipt(signed.hash)
    if receipt is None and (chain.knows(signed.hash) or _rebroadcast(chain, token, submission)):
        receipt = chain.wait(signed.hash)
    if receipt is None:
        outbox.mark(signed.hash, "failed")
    else:
        outbox.mark(signed.hash, _status(receipt), receipt.block_number)


def _rebroadcast(chain: Chain, token: Token, submission: Submission) -> bool:
    """Send again what the chain forgot or never saw, if it is the contract's next batch."""
    signed = submission.signed
    # With a gap before it, on a chain that forgot more than this, it would wait for ever.
    has_gap = signed.nonce > chain.next_nonce(signed.sender)
    if submission.number != token.batches + 1 or has_gap:
        return False
    try:
        chain.send(signed)
    except RpcError:
        return False  # its nonce is used, or the contract refuses: this run signs a new one
    return True


def _status(receipt: TransactionReceipt) -> Status:
    """Return what the outbox says of a mined transaction."""
    return "mined" if receipt.succeeded else "failed"
