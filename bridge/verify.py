"""Whether a chain and a ledger agree: every log, every head, every balance, in one block.

The contract's history is recomputed from the chain's own logs, the ledger's heads from its own
rows, and then the two are compared: so an altered row is told from an altered chain, and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.compare import Mismatch, MismatchKind
from bridge.errors import BridgeError, NoContractError
from bridge.known_blocks import check_reached
from bridge.progress import ReportProgress, ignore
from bridge.proven import ProvenState
from bridge.verify_balances import Balances
from bridge.verify_logs import Logs
from bridge.verify_work import TAGS, CalledState, Work, named_block
from ledger.checks import FoundError, check_account
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from bridge.chain import Chain
    from bridge.compare import Difference
    from ledger import Ledger
    from ledger.results import Asset

LEVELS: Final = (1, 2, 3)
"""1: logs and history. 2: also every balance, and the total supply. 3: all of it by proof."""

LIVE_BLOCKS: Final = 10_000
"""In how many of the last blocks the logs of a live token are proven, unless you say otherwise."""

_BALANCES: Final = 2
_PROOFS: Final = 3


@dataclass(frozen=True, slots=True)
class AssetVerified:
    """What was compared of one asset."""

    symbol: str
    token: Address | None
    """None for an asset without entries that is not deployed: there is nothing to compare."""
    entries: int = 0
    """Entries on the chain."""
    waiting: int = 0
    """Entries that are not on the chain."""
    batches: int = 0
    balances: int = 0
    """Balances compared; 0 at level 1."""
    live_transfers: int = 0
    """Transfers since the token went live, by their logs."""
    proven_transfers: int = 0
    """How many of those are proven one by one; at level 3 the others are proven in their sum."""
    all_proven: bool = False
    """Whether no transfer is missing, made up or altered, by proof: level 3, and receipts back to
    where the token went live. If not, transfers that cancel out may be."""
    difference: Difference | None = None
    """Where the first difference is, if a log, a head or a stored entry differs."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome, for one block."""

    chain_id: int
    block_number: int
    block_hash: Hash32
    block_time: int
    """When the block was made, in seconds since 1970; proven at level 3."""
    level: int
    assets: tuple[AssetVerified, ...]
    mismatches: tuple[Mismatch, ...]
    omitted: int
    """Mismatches found beyond the limit, and not listed."""

    @property
    def agree(self) -> bool:
        """Whether nothing differs."""
        return not self.mismatches


def verify(
    ledger: Ledger,
    chain: Chain,
    level: int = 2,
    *,
    block: str = "latest",
    limit: int = 1_000,
    live_blocks: int | None = LIVE_BLOCKS,
    progress: ReportProgress = ignore,
) -> VerifyReport:
    """Compare every entry, and from level 2 every balance, with the chain in one block.

    `block` is "latest", "safe", "finalized", a number, or a hash (0x and 64 digits). At level 3
    code, state and balances must be proven to the block's hash (EIP-1186), and no word of the
    node's is taken for any of them: give a hash that you know from elsewhere.

    Entries that are not on the chain are a mismatch too (`NOT_REPLAYED`): chain and ledger do not
    agree until they are sealed and replayed. At most `limit` mismatches are listed.

    What moves after a token went live is in no history. At level 3 the balances prove the sum of
    its logs, and the receipts of the last `live_blocks` blocks each log there; None is all blocks
    back to where it went live, however many.

    Raises:
        StaleBlockError: the block for "latest", "safe" or "finalized" is older than one in which
            this ledger's own transactions are noted to be.
        ChainError: it could not be told: the node fails, lacks logs, or has no such contract.
        ContradictionError: the node's answers contradict a proof or each other.
    """
    if level not in LEVELS:
        raise BridgeError(f"level must be one of {LEVELS}, not {level}")
    chain.check_chain_id()
    at = named_block(chain, block)
    if block in TAGS:
        check_reached(ledger, chain, block, at)
    work = Work(
        ledger=ledger,
        chain=chain,
        at=at,
        state=ProvenState(chain, at) if level == _PROOFS else CalledState(chain, at),
        is_proven=level == _PROOFS,
        limit=limit,
        live_blocks=live_blocks,
        progress=progress,
    )
    _check_accounts(work)
    assets = tuple(_verify_asset(work, asset, level) for asset in ledger.assets())
    chain.check_canonical(at)
    chain.check_chain_id()
    return VerifyReport(
        chain_id=chain.chain_id,
        block_number=at.number,
        block_hash=at.hash,
        block_time=at.timestamp,
        level=level,
        assets=assets,
        mismatches=tuple(work.mismatches),
        omitted=work.omitted,
    )


def _check_accounts(work: Work) -> None:
    """Recompute every address from (id, blind, registrar): tokens lie there."""
    ledger_id = work.ledger.identity.ledger_id
    for account in work.ledger.accounts():
        work.accounts += 1
        try:
            check_account(account, ledger_id)
        except FoundError as error:
            found, id_ = error.finding, account.account_id
            kind = MismatchKind.ACCOUNT_ALTERED
            work.report(Mismatch(kind, "", found.expected, found.found, account_id=id_))
            if found.what == "address":
                work.doubted[account.address] = Address.parse(found.expected)


def _verify_asset(work: Work, asset: Asset, level: int) -> AssetVerified:
    """Compare one asset."""
    symbol = asset.symbol
    last = work.ledger.head(symbol).seq
    try:
        token = work.state.token(work.ledger.identity, asset)
    except NoContractError:
        if asset.operator is None and last == 0:
            return AssetVerified(symbol, None)
        raise
    logs = Logs(work, token, last)
    logs.check()
    if token.deferring:
        work.report(_not_settled(symbol))
    has_balances = level >= _BALANCES and not token.deferring
    balances = Balances(work, token, logs).check() if has_balances else 0
    return AssetVerified(
        symbol=symbol,
        token=token.address,
        entries=token.last_seq,
        waiting=logs.waiting,
        batches=token.batches,
        balances=balances,
        live_transfers=logs.live.transfers,
        proven_transfers=logs.live.proven_transfers,
        all_proven=level == _PROOFS and logs.live.is_whole,
        difference=logs.difference,
    )


def _not_settled(symbol: str) -> Mismatch:
    """Return the mismatch of a token in a deferral: its balances are in no block yet."""
    found = "none yet: a deferral is under way, run `evm-ledger chain replay`"
    return Mismatch(MismatchKind.NOT_SETTLED, symbol, "a balance of every account", found)
