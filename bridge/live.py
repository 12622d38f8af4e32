"""Finalize: a token that mirrored its ledger goes live, for ever.

Nothing on a chain takes that back, so everything that can be looked at is looked at first, and all
that stands in the way is named at once. The contract itself refuses unless its history is the one
that was computed here from the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.calls import rehearse, transact
from bridge.codec import encode_call
from bridge.errors import (
    ChainError,
    ForeignHistoryError,
    NotFinalizableError,
    ReorganisedError,
)
from bridge.live_obstacles import DEFAULT_CHECKS, Checks, find_obstacles, is_own_custody
from bridge.outbox import OPEN, Subject
from bridge.positions import locate
from bridge.progress import ReportProgress, ignore
from bridge.sending import Sender
from bridge.tokens import check_operators, read_token
from ledger.errors import LedgerError
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.batches import Position
    from bridge.chain import Chain, TransactionReceipt
    from bridge.fees import FeePolicy
    from bridge.keys import TransactionSigner
    from bridge.patience import Patience
    from bridge.tokens import Token
    from bridge.tracking import Confirmed
    from ledger import Ledger
    from ledger.model import Address, Hash32

_FINALIZE: Final = "finalize(bytes32,uint64)"
_PURPOSE: Final = "finalize"


@dataclass(frozen=True, slots=True)
class Finalization:
    """What will be true for ever once the token is live."""

    symbol: str
    chain_id: int
    token: Address
    operator: Address | None
    """Who has every power until then, and none from then on; None if it is live already."""
    last_seq: int
    """The last entry of the ledger that will ever be on this token."""
    history: Hash32
    total_supply: int
    """In base units; it never changes again."""
    is_live: bool
    """Whether it is so already."""
    own_registrar: bool
    """Whether whoever reads the ledger's database may then claim derived balances."""


Confirm: TypeAlias = "Callable[[Finalization], None]"
"""Called when nothing stands in the way; whatever it raises leaves everything as it was."""


@dataclass(frozen=True, slots=True)
class FinalizeReport:
    """A token that is live."""

    symbol: str
    chain_id: int
    token: Address
    last_seq: int
    history: Hash32
    total_supply: int
    was_live: bool
    """Whether an earlier run, or somebody with the operator's key, had done it already."""
    transaction: Hash32 | None
    """None if it was live already."""
    block_number: int
    gas_used: int
    closed: bool
    """Whether the asset is closed in the ledger, so that nothing is posted to it any more."""


def finalize(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    symbol: str | None = None,
    *,
    checks: Checks = DEFAULT_CHECKS,
    confirm: Confirm | None = None,
    close: bool | None = None,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    confirmed: Confirmed | None = None,
    progress: ReportProgress = ignore,
    say: Callable[[str], None] | None = None,
) -> FinalizeReport:
    """Make the token of an asset live, for ever, if nothing stands in the way.

    The asset is closed in the ledger first, so that no entry can come after those on the token; if
    the token does not go live after all, it is opened again, unless that cannot be known. A token
    that is live already, with exactly the ledger's history, is reported and nothing sent: so a run
    that was interrupted is simply run again.

    Args:
        ledger: the ledger; nothing in it may be pending, frozen, unsealed or not replayed.
        chain: where the token is.
        signer: the token's operator.
        symbol: the asset; the ledger's only one unless given.
        checks: how much is asked for.
        confirm: asked last of all.
        close: whether to close the asset; unless given, not on a local test chain, which only
            rehearses.
        fees: how much may be paid for gas.
        patience: how long the chain is waited for.
        confirmed: how deep in the chain it must be at the end; in a block unless given.
        progress: told how the comparison goes on.
        say: is told, in a sentence, what is being waited for.

    Raises:
        NotFinalizableError: with everything that stands in the way; nothing was sent.
        CustodyError: everybody has the operator's key, on a chain that is worth something.
        ForeignHistoryError: the token is live, and not with this ledger's history.
        RevertedError, TransactionError: it would fail, or failed.
        ConflictError: somebody posted meanwhile; nothing was sent.
        ChainError: the node does not do its part. Run again: it finds out how things stand.
    """
    closing = not chain.is_local_test if close is None else close
    check_operators(chain, [ledger.asset(symbol)], signer)
    with Sender(ledger, chain, signer, fees=fees, patience=patience, say=say) as sender:
        sender.settle()
        planned = plan_finalize(ledger, chain, signer, symbol, checks=checks, progress=progress)
        if planned.is_live:
            _close(ledger, planned, closing=closing)
            _wait(sender, planned, confirmed)
            return _report(ledger, planned, block_number=chain.block().number)
        if confirm is not None:
            confirm(planned)
        is_new = _close(ledger, planned, closing=closing)
        try:
            report = _send(ledger, sender, planned)
        except LedgerError:
            if is_new and _goes_on(ledger, sender, planned):
                ledger.reopen_asset(planned.symbol)
            raise
        _wait(sender, planned, confirmed)
        return report


def _wait(sender: Sender, planned: Finalization, confirmed: Confirmed | None) -> None:
    """Wait until the token is live as deep in the chain as it must be."""
    if confirmed is not None and not sender.wait_until(confirmed):
        raise ReorganisedError(
            f"{planned.symbol}: the chain took back the block in which it went live: run "
            "`evm-ledger chain finalize` again, it finds out how things stand"
        )


def plan_finalize(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    symbol: str | None = None,
    *,
    checks: Checks = DEFAULT_CHECKS,
    progress: ReportProgress = ignore,
) -> Finalization:
    """Return what `finalize` would make true, after everything was looked at; send nothing.

    Arguments and errors are those of `finalize`.
    """
    asset = ledger.asset(symbol)
    check_operators(chain, [asset], signer)
    token = read_token(chain, ledger.identity, asset, chain.block())
    if token.live:
        planned = _planned(ledger, chain, token)
        _check_whole(ledger, token)
        return planned
    found = find_obstacles(
        ledger,
        chain,
        asset,
        signer.address,
        checks=checks,
        progress=progress,
    )
    if found:
        raise NotFinalizableError(asset.symbol, found)
    planned = _planned(ledger, chain, token)
    rehearse(chain, signer.address, token.address, _call(planned), f"finalizing {asset.symbol}")
    return planned


def _planned(ledger: Ledger, chain: Chain, token: Token) -> Finalization:
    """Return what will be true, its history recomputed from the ledger."""
    at = _located(ledger, chain, token)
    return Finalization(
        symbol=token.asset.symbol,
        chain_id=chain.chain_id,
        token=token.address,
        operator=None if token.live else token.operator,
        last_seq=at.last_seq,
        history=at.history,
        total_supply=token.total_supply,
        is_live=token.live,
        own_registrar=is_own_custody(ledger),
    )


def _located(ledger: Ledger, chain: Chain, token: Token) -> Position:
    """Return where the token stands in the ledger's journal."""
    symbol = token.asset.symbol
    sealed = [it for seal in ledger.seals() for it in seal.batches if it.symbol == symbol]
    if not sealed:
        raise ForeignHistoryError(f"{symbol}: the token is live, and nothing of this ledger sealed")
    return locate(ledger, chain, token, sealed)


def _check_whole(ledger: Ledger, token: Token) -> None:
    """Raise ForeignHistoryError unless a live token has every entry of the ledger."""
    symbol = token.asset.symbol
    if (last := ledger.head(symbol).seq) != token.last_seq:
        raise ForeignHistoryError(
            f"{symbol}: the token went live with entry {token.last_seq}, and the ledger has "
            f"{last}: {spanned(token.last_seq + 1, last)} can never be on it"
        )


def _send(ledger: Ledger, sender: Sender, planned: Finalization) -> FinalizeReport:
    """Send it, and look whether what was planned is true."""
    symbol = planned.symbol
    subject = Subject(asset=ledger.asset(symbol).number, last_seq=planned.last_seq)
    what = f"finalizing {symbol}"
    receipt = transact(
        sender, planned.token, _call(planned), what, purpose=_PURPOSE, subject=subject
    )
    token = _token(ledger, sender.chain, symbol)
    if not token.live or (token.history, token.last_seq) != (planned.history, planned.last_seq):
        raise ChainError(
            f"{symbol}: transaction {receipt.hash} was mined, and the token is not what it should "
            "be: run `evm-ledger chain finalize` again, it tells how things stand"
        )
    return _report(ledger, planned, block_number=receipt.block_number, receipt=receipt)


def _goes_on(ledger: Ledger, sender: Sender, planned: Finalization) -> bool:
    """Tell whether the token mirrors, and nothing that was signed can change that."""
    try:
        if _token(ledger, sender.chain, planned.symbol).live:
            return False
    except ChainError:
        return False
    waiting = sender.outbox.attempts(purpose=_PURPOSE, statuses=OPEN)
    return all(it.to != planned.token for it in waiting)


def _token(ledger: Ledger, chain: Chain, symbol: str) -> Token:
    """Return the token as it is now."""
    return read_token(chain, ledger.identity, ledger.asset(symbol), chain.block())


def _close(ledger: Ledger, planned: Finalization, *, closing: bool) -> bool:
    """Close the asset if it is wanted; tell whether it was open. Raises ConflictError."""
    if not closing or ledger.head(planned.symbol).closed:
        return False
    ledger.close_asset(planned.symbol, planned.last_seq)
    return True


def _call(planned: Finalization) -> bytes:
    """Return the calldata, which pins what goes live."""
    return encode_call(_FINALIZE, planned.history, planned.last_seq)


def _report(
    ledger: Ledger,
    planned: Finalization,
    *,
    block_number: int,
    receipt: TransactionReceipt | None = None,
) -> FinalizeReport:
    """Return what is true now."""
    return FinalizeReport(
        symbol=planned.symbol,
        chain_id=planned.chain_id,
        token=planned.token,
        last_seq=planned.last_seq,
        history=planned.history,
        total_supply=planned.total_supply,
        was_live=planned.is_live,
        transaction=receipt.hash if receipt else None,
        block_number=block_number,
        gas_used=receipt.gas_used if receipt else 0,
        closed=ledger.head(planned.symbol).closed,
    )
