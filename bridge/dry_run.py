"""What a replay would send now: nothing is signed, stored or sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.batches import Limits, run_calldata
from bridge.deferred import Deferral, read_standing
from bridge.due import check_operator, due_runs, sealed_batches
from bridge.errors import FeeCapError, NoAnswerError, RpcError, TransactionError
from bridge.fees import FeePolicy
from bridge.plan_gas import replay_work
from bridge.positions import locate
from bridge.tokens import check_operators, read_token
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.batches import Run
    from bridge.chain import Chain
    from bridge.deferred import Mode
    from bridge.keys import TransactionSigner
    from bridge.tokens import Token
    from ledger import Ledger
    from ledger.model import Address
    from ledger.results import Asset, SealedBatch


@dataclass(frozen=True, slots=True)
class AssetPreview:
    """What would be sent for one asset."""

    symbol: str
    token: Address
    transactions: int
    entries: int
    replayed: int
    """Entries on the chain already."""
    gas: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would send now."""

    chain_id: int
    signer: Address
    nonce: int
    """Of the first transaction; the others follow."""
    assets: tuple[AssetPreview, ...]
    gas_price: int
    """Wei a gas, as the next block asks."""
    max_fee: int
    """Wei a gas that the first transaction would offer."""
    balance: int
    """Wei that the signer has."""
    unsealed: int
    """Entries of all assets that are in no batch yet, and so would not be sent."""

    @property
    def transactions(self) -> int:
        """How many would be sent."""
        return sum(asset.transactions for asset in self.assets)

    @property
    def entries(self) -> int:
        """Entries in them."""
        return sum(asset.entries for asset in self.assets)

    @property
    def gas(self) -> int:
        """Gas of all of them."""
        return sum(asset.gas for asset in self.assets)

    @property
    def cost(self) -> int:
        """Wei that they would cost at today's price."""
        return self.gas * self.gas_price

    @property
    def is_funded(self) -> bool:
        """Whether the signer has that."""
        return self.balance >= self.cost


def preview(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    *,
    limits: Limits | None = None,
    mode: Mode = "auto",
    fees: FeePolicy | None = None,
) -> Preview:
    """Return what a replay would send now.

    The first transaction of each asset is estimated by the node, which so checks that the contract
    would take it; the gas of the others is counted, because they follow from the first.

    Raises:
        As `replay`, as far as nothing must be signed for it.
    """
    limits, policy = limits or Limits(), fees or FeePolicy()
    sealed = sealed_batches(ledger)
    assets = [asset for asset in ledger.assets() if asset.symbol in sealed]
    check_operators(chain, assets, signer)
    market = chain.market()
    offered = policy.settled(market).first(market)
    if offered is None:
        raise FeeCapError(
            f"gas costs {market.price} wei, more than may be offered ({policy.max_fee} wei): "
            "nothing could be sent now"
        )
    return Preview(
        chain_id=chain.chain_id,
        signer=signer.address,
        nonce=chain.next_nonce(signer.address, "latest"),
        assets=tuple(
            _asset(
                ledger,
                chain,
                signer,
                asset,
                batches=sealed[asset.symbol],
                limits=limits,
                mode=mode,
            )
            for asset in assets
        ),
        gas_price=market.price,
        max_fee=offered.max_fee,
        balance=chain.balance(signer.address),
        unsealed=sum(
            ledger.head(asset.symbol).seq - _last_sealed(sealed.get(asset.symbol, ()))
            for asset in ledger.assets()
        ),
    )


def _last_sealed(batches: Sequence[SealedBatch]) -> int:
    """Return the seq of the last entry that is in a batch."""
    return batches[-1].batch.last_seq if batches else 0


def _asset(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    asset: Asset,
    *,
    batches: Sequence[SealedBatch],
    limits: Limits,
    mode: Mode,
) -> AssetPreview:
    """Return what would be sent for one asset."""
    token = read_token(chain, ledger.identity, asset, chain.block())
    at = locate(ledger, chain, token, batches)
    replayed, transactions, entries, gas = at.last_seq, 0, 0, 0
    standing = read_standing(chain, token, chain.block())
    deferral = Deferral(ledger, asset, batches, limits=limits, mode=mode)
    if coming := deferral.outlook(standing, at):
        check_operator(token, signer)
        _, transactions, entries, gas, at = coming
    for run, chosen in due_runs(ledger, asset, batches, at, limits):
        if not transactions:
            check_operator(token, signer)
            gas += _estimate(chain, signer, token, run)
        else:
            gas += replay_work(run, chosen, asset.token_version).price(limits.rules).used
        transactions += 1
        entries += len(chosen)
    return AssetPreview(asset.symbol, token.address, transactions, entries, replayed, gas)


def _estimate(chain: Chain, signer: TransactionSigner, token: Token, run: Run) -> int:
    """Return the gas that the node expects of the first transaction."""
    try:
        return chain.estimate_gas(signer.address, token.address, run_calldata(run))
    except NoAnswerError:
        raise
    except RpcError as error:
        raise TransactionError(
            f"{token.asset.symbol} {spanned(run.batch.first_seq, run.batch.last_seq)}: the "
            f"contract would refuse that ({error})"
        ) from error
