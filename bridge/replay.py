"""Sealed batches onto a chain, each exactly once.

The contract's `history` is the truth: it says where the contract stands, whatever this database
or the last run believed, and the contract refuses a batch that does not follow it. So this can be
stopped anywhere and run again, and a run that finds nothing to do sends nothing. How a transaction
gets there is `bridge.sending`'s; here is decided which one is due, and decided anew whenever the
contract turns out to stand elsewhere: somebody else replayed too, or blocks were taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.batches import Limits, Position, Run, run_calldata
from bridge.codec import BATCH_REPLAYED, BatchReplayed
from bridge.deferred import DEFERRAL_PURPOSES, Deferral, read_standing
from bridge.due import check_operator, sealed_batches
from bridge.errors import (
    ChainError,
    FailedTransactionError,
    NoAnswerError,
    RpcError,
    TransactionError,
)
from bridge.outbox import Subject
from bridge.positions import locate
from bridge.progress import Progress, ReportProgress, ignore
from bridge.sending import Sender
from bridge.tokens import Token, check_operators, read_token
from bridge.tracking import Confirmed
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.chain import Chain, TransactionReceipt
    from bridge.deferred import DueCall, Mode, Standing
    from bridge.fees import FeePolicy
    from bridge.flight import Landed
    from bridge.keys import TransactionSigner
    from bridge.patience import Patience
    from ledger import Ledger
    from ledger.model import Address, Hash32
    from ledger.results import Asset

PURPOSE: Final = "replay"
PURPOSES: Final = frozenset({PURPOSE, *DEFERRAL_PURPOSES})
_GAS_ADVICE: Final = "Give this chain's own --gas-cap, --block-gas and --rules"


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
    cost: int
    """Wei that were paid for it, as far as the node says."""
    transactions: tuple[Hash32, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What one run did."""

    chain_id: int
    assets: tuple[AssetReplay, ...]
    never_sealed: int = 0
    """Entries of assets of which nothing is in any seal, so that they are not in `assets`."""

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
        """Entries that are in no seal yet, of every asset."""
        return self.never_sealed + sum(asset.unsealed for asset in self.assets)

    @property
    def gas_used(self) -> int:
        """Gas of all transactions of this run."""
        return sum(asset.gas_used for asset in self.assets)

    @property
    def cost(self) -> int:
        """Wei that were paid for it."""
        return sum(asset.cost for asset in self.assets)


def replay(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    *,
    limits: Limits | None = None,
    mode: Mode = "auto",
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    confirmed: Confirmed | None = None,
    progress: ReportProgress = ignore,
    say: Callable[[str], None] | None = None,
) -> ReplayReport:
    """Send every sealed batch that the chain does not have yet, asset by asset.

    Args:
        ledger: whose batches.
        chain: where to.
        signer: the operator's key.
        limits: what one transaction may have, and by which rules; a batch that has more is cut.
        mode: whether balances are deferred, where a token can (docs/deferred.md).
        fees: how much may be paid for gas.
        patience: how long the chain is waited for.
        confirmed: how deep in the chain the batches must be at the end; in a block unless given.
        progress: is told how many entries are on the chain, what they used and what that cost.
        say: is told, in a sentence, what is being waited for.

    Raises:
        BusyError: another process sends with this key from this database.
        NoContractError, ForeignContractError: a token is missing, or is not this ledger's.
        ForeignHistoryError: a contract holds batches that are not this ledger's.
        OperatorError: `signer` may not replay.
        CustodyError: the chain is not a local test chain, and everybody has the operator's key.
        CorruptError: stored entries do not recompute; nothing of their batch is sent.
        FundsError, FeeCapError: the key cannot pay for the gas, or gas costs more than it may.
        SignerError: the remote signer does not sign.
        ChainError: the node does not do its part. Run again: it goes on where the chain stands.
    """
    work = _Replay(ledger, chain, limits or Limits(), mode, progress)
    work.check(signer)
    sender = Sender(
        ledger, chain, signer, fees=fees, patience=patience,
        gas_cap=work.limits.transaction_gas, gas_advice=_GAS_ADVICE, say=say, landed=work.note,
    )  # fmt: skip
    try:
        with sender:
            return work.run(sender, signer, confirmed)
    except NoAnswerError as error:
        raise NoAnswerError(
            f"{error} Nothing is lost: run `evm-ledger chain replay` again, it goes on where the "
            "chain stands"
        ) from error


@dataclass(slots=True)
class _Sent:
    """What a run sent for one asset."""

    before: int | None = None
    """The last entry on the chain when it was first looked."""
    replayed: int = 0
    gas_used: int = 0
    cost: int = 0
    batches: dict[int, tuple[int, Hash32]] = field(default_factory=dict)
    """For each batch's number, its entries and its transaction."""


class _Moved(Exception):  # noqa: N818 (a message within this module, no error)
    """The contract stands elsewhere than was believed: look again."""


class _Replay:
    """One run over all assets."""

    def __init__(
        self, ledger: Ledger, chain: Chain, limits: Limits, mode: Mode, progress: ReportProgress
    ) -> None:
        self.limits = limits
        self._mode: Mode = mode
        self._ledger = ledger
        self._chain = chain
        self._progress = progress
        self._sealed = sealed_batches(ledger)
        self._total = sum(batches[-1].batch.last_seq for batches in self._sealed.values())
        self._assets = [asset for asset in ledger.assets() if asset.symbol in self._sealed]
        self._sent = {asset.number: _Sent() for asset in self._assets}

    def check(self, signer: TransactionSigner) -> None:
        """Raise what stands in the way of everything, before anything is signed."""
        check_operators(self._chain, self._assets, signer)
        for asset in self._assets:
            self._read(asset)

    def run(
        self, sender: Sender, signer: TransactionSigner, confirmed: Confirmed | None
    ) -> ReplayReport:
        """Replay each asset that has sealed entries, until all are as deep as they must be."""
        while True:
            sender.settle()
            reports = tuple(self._replay_asset(asset, sender, signer) for asset in self._assets)
            if not reports or sender.wait_until(confirmed or Confirmed()):
                return ReplayReport(self._chain.chain_id, reports, self._never_sealed())

    def _never_sealed(self) -> int:
        """Return how many entries the assets have of which nothing is sealed."""
        others = [it.symbol for it in self._ledger.assets() if it.symbol not in self._sealed]
        return sum(self._ledger.head(symbol).seq for symbol in others)

    def note(self, landed: Landed) -> None:
        """Count a transaction that this run broadcast and that is in a block."""
        attempt, receipt, is_broadcast = landed
        subject = attempt.subject
        sent = self._sent.get(subject.asset or 0)
        if attempt.purpose not in PURPOSES or sent is None or not is_broadcast:
            return
        sent.gas_used += receipt.gas_used
        sent.cost += receipt.gas_used * (receipt.gas_price or 0)
        if receipt.succeeded and None not in {subject.number, subject.first_seq, subject.last_seq}:
            entries = (subject.last_seq or 0) - (subject.first_seq or 0) + 1
            sent.batches[subject.number or 0] = (entries, receipt.hash)

    def _replay_asset(self, asset: Asset, sender: Sender, signer: TransactionSigner) -> AssetReplay:
        """Send the batches of one asset that its contract does not have."""
        sealed = self._sealed[asset.symbol]
        last = sealed[-1].batch.last_seq
        deferral = Deferral(self._ledger, asset, sealed, limits=self.limits, mode=self._mode)
        while True:
            token = self._read(asset)
            at = locate(self._ledger, self._chain, token, sealed)
            self._stands(asset, at)
            standing = read_standing(self._chain, token, self._chain.block())
            call = deferral.due(standing, at)
            if call is None and at.last_seq >= last:
                return self._report(asset, token.address)
            check_operator(token, signer)
            try:
                if call is not None:
                    self._send_call(token, call, standing, sender)
                    continue
                for run in deferral.runs(at, standing.final_seq or last):
                    self._send_run(asset, run, token.address, sender)
                    self._stands(asset, run.after)
            except _Moved:
                sender.settle()

    def _send_call(self, token: Token, call: DueCall, standing: Standing, sender: Sender) -> None:
        """Send what a deferral needs; raise _Moved if the contract is not where it was."""
        subject = Subject(token.asset.number, None, call.first_seq, call.last_seq)
        try:
            sender.send(call.purpose, token.address, call.data, subject=subject)
        except NoAnswerError:
            raise
        except (RpcError, FailedTransactionError) as error:
            if read_standing(self._chain, token, self._chain.block()) != standing:
                raise _Moved from error
            raise TransactionError(
                f"{call.what}: the contract would refuse it ({error})"
            ) from error
        if call.all_rows:
            what = f"{token.asset.symbol} balances"
            self._progress(Progress(what, call.rows, call.all_rows, self._note()))

    def _send_run(self, asset: Asset, run: Run, token: Address, sender: Sender) -> None:
        """Send one run; raise _Moved if the contract does not stand before it."""
        batch = run.batch
        what = f"{asset.symbol} {spanned(batch.first_seq, batch.last_seq)}"
        data = run_calldata(run)
        subject = Subject(asset.number, batch.number, batch.first_seq, batch.last_seq)
        try:
            receipt = sender.send(PURPOSE, token, data, subject=subject)
        except NoAnswerError:
            raise
        except (RpcError, FailedTransactionError) as error:
            if self._read(asset).history != run.prev_history:
                raise _Moved from error
            raise TransactionError(f"{what}: the contract would refuse them ({error})") from error
        _check_event(receipt, run, token, what)

    def _read(self, asset: Asset) -> Token:
        """Return the token of `asset` as it is now."""
        return read_token(self._chain, self._ledger.identity, asset, self._chain.block())

    def _stands(self, asset: Asset, at: Position) -> None:
        """Say how many entries are on the chain."""
        sent = self._sent[asset.number]
        sent.replayed = at.last_seq
        if sent.before is None:
            sent.before = at.last_seq
        done = sum(one.replayed for one in self._sent.values())
        self._progress(Progress("entries", done, self._total, self._note()))

    def _note(self) -> str:
        """Return what all of it used so far, and what that cost."""
        sents = self._sent.values()
        gas, cost = sum(one.gas_used for one in sents), sum(one.cost for one in sents)
        return f"{gas:,} gas, {cost / 10**18:.6f} ETH" if gas else ""

    def _report(self, asset: Asset, token: Address) -> AssetReplay:
        """Return what this run did for an asset whose sealed entries are all on the chain."""
        sent = self._sent[asset.number]
        last = self._sealed[asset.symbol][-1].batch.last_seq
        return AssetReplay(
            symbol=asset.symbol,
            token=token,
            batches=len(sent.batches),
            entries=sum(entries for entries, _ in sent.batches.values()),
            replayed=sent.replayed,
            unsealed=self._ledger.head(asset.symbol).seq - last,
            gas_used=sent.gas_used,
            cost=sent.cost,
            transactions=tuple(hash_ for _, hash_ in sent.batches.values()),
        )


# --- checks ---


def _check_event(receipt: TransactionReceipt, run: Run, token: Address, what: str) -> None:
    """Raise ChainError unless the contract says that it did exactly `run`."""
    events = [
        BatchReplayed.parse(log)
        for log in receipt.logs
        if log.address == token and log.topics[:1] == (BATCH_REPLAYED,)
    ]
    if [event.history for event in events] != [run.after.history]:
        raise ChainError(f"{what}: the contract did something else: run `evm-ledger chain verify`")
