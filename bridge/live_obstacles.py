"""What stands in the way of making a token live: everything is looked at, all of it is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.deploy import check_custody
from bridge.errors import CustodyError, Obstacle, ObstacleKind
from bridge.live_operators import read_pending
from bridge.progress import ReportProgress, ignore
from bridge.tokens import read_batches, read_token
from bridge.verify import verify
from ledger.model import HoldState, Status
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.chain import Chain
    from bridge.tokens import Token
    from ledger import Asset, Ledger
    from ledger.model import Address


@dataclass(frozen=True, slots=True)
class Checks:
    """How much is asked for before a token goes live."""

    level: int = 2
    """How far ledger and chain are compared (`verify`)."""
    allow_own_registrar: bool = False
    """Whether the key in this database may claim, on a chain that is worth something."""
    allow_unfinalized: bool = False
    """Whether batches may be in blocks that the chain can still replace."""


DEFAULT_CHECKS: Final = Checks()

_STILL_POSSIBLE: Final = (
    "Addresses cannot change any more. Before it is live, deploy their owners' contracts "
    "(`evm-ledger chain account deploy`), or transfer what they hold to accounts at their owners' "
    "own addresses, seal and replay; then say --allow-own-registrar"
)
"""What can be done about a registrar once the history is on the chain."""


def find_obstacles(
    ledger: Ledger,
    chain: Chain,
    asset: Asset,
    operator: Address,
    *,
    checks: Checks = DEFAULT_CHECKS,
    progress: ReportProgress = ignore,
) -> list[Obstacle]:
    """Return everything that stands in the way of finalizing the token of `asset`.

    Raises:
        ChainError: it could not be told.
    """
    token = read_token(chain, ledger.identity, asset, chain.block())
    found = [*_in_the_ledger(ledger, asset), *_of_operators(chain, token, operator)]
    if not chain.is_local_test:
        try:
            check_custody(ledger, allow_own=checks.allow_own_registrar, advice=_STILL_POSSIBLE)
        except CustodyError as error:
            found.append(Obstacle(ObstacleKind.OWN_REGISTRAR, str(error)))
        if not checks.allow_unfinalized:
            found += _not_final(chain, token)
    if not any(it.kind in {ObstacleKind.NOT_SEALED, ObstacleKind.NOTHING_THERE} for it in found):
        found += _disagreement(ledger, chain, token, checks.level, progress)
    return found


def is_own_custody(ledger: Ledger) -> bool:
    """Tell whether an account's registrar is the ledger's own key, which is in its database."""
    identity = ledger.identity
    return identity.own_registrar and any(
        it.derived and it.registrar == identity.registrar for it in ledger.accounts()
    )


def _in_the_ledger(ledger: Ledger, asset: Asset) -> Iterator[Obstacle]:
    """Yield what the ledger knows and a token cannot."""
    symbol = asset.symbol
    if hold := next(ledger.holds(asset=symbol, state=HoldState.PENDING), None):
        yield Obstacle(
            ObstacleKind.HOLD_PENDING,
            f"hold {hold.id} on {hold.account_id!r} is pending, and perhaps others: post or void "
            f"them (`evm-ledger hold list --state pending`); one that is due is released with the "
            "next posting",
        )
    frozen = (it.account_id for it in ledger.accounts() if it.status == Status.FROZEN)
    if (account_id := next(frozen, None)) is not None:
        yield Obstacle(
            ObstacleKind.ACCOUNT_FROZEN,
            f"account {account_id!r} is frozen, and perhaps others: a live token freezes nobody, "
            "so settle it, then `evm-ledger account reopen`",
        )
    last = ledger.head(symbol).seq
    if last == 0:
        yield Obstacle(
            ObstacleKind.NOTHING_THERE,
            "its journal is empty, so its supply would be nothing for ever: post first",
        )
    elif ledger.batch_with(last, symbol) is None:
        yield Obstacle(
            ObstacleKind.NOT_SEALED,
            f"entries up to {last} are not all sealed: run `evm-ledger seal`, then "
            "`evm-ledger chain replay`",
        )


def _of_operators(chain: Chain, token: Token, operator: Address) -> Iterator[Obstacle]:
    """Yield what is wrong with who is to do it."""
    if token.operator != operator:
        yield Obstacle(
            ObstacleKind.NOT_OPERATOR,
            f"the token's operator is {token.operator}, not {operator}: sign with the operator's "
            "--keystore",
        )
    if pending := read_pending(chain, token, chain.block()):
        yield Obstacle(
            ObstacleKind.OPERATOR_PENDING,
            f"the operator's part was offered to {pending}: have it taken (`evm-ledger chain "
            "operator accept`) or withdraw it (`chain operator transfer --withdraw`)",
        )


def _not_final(chain: Chain, token: Token) -> Iterator[Obstacle]:
    """Yield the last batch, if its block may still be replaced."""
    batches = read_batches(chain, token, chain.block())
    final = chain.head("finalized")
    if batches and (last := batches[-1].place.block_number) > (-1 if final is None else final):
        known = "it names no final block" if final is None else f"its last final block is {final}"
        yield Obstacle(
            ObstacleKind.NOT_FINAL,
            f"batch {batches[-1].number} is in block {last} of chain {chain.chain_id}, and "
            f"{known}: wait, or say --allow-unfinalized",
        )


def _disagreement(
    ledger: Ledger, chain: Chain, token: Token, level: int, progress: ReportProgress
) -> Iterator[Obstacle]:
    """Yield the first of what differs between the ledger and the token."""
    symbol = token.asset.symbol
    last = ledger.head(symbol).seq
    if token.last_seq < last:
        yield Obstacle(
            ObstacleKind.NOT_REPLAYED,
            f"not on the chain: {spanned(token.last_seq + 1, last)}: run `evm-ledger chain replay`",
        )
        return
    report = verify(ledger, chain, level, progress=progress)
    ours = [it for it in report.mismatches if it.asset in {symbol, ""}]
    if ours or report.omitted:
        first = f": {ours[0]}" if ours else ""
        yield Obstacle(
            ObstacleKind.MISMATCH,
            f"ledger and chain differ{first}: `evm-ledger chain verify` names each difference",
        )
