"""Putting a ledger's contracts on a chain: the proxy, the account factory, a token for each asset.

Every address is known beforehand and says what lies there (CREATE2), so it does not matter who
deploys, or how often: what is there already is compared and left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.artifacts import Creation, factory_creation, token_creation
from bridge.errors import ChainError, CustodyError, ForeignContractError
from bridge.progress import Progress, ReportProgress, ignore
from bridge.proxy import ensure_deployment_proxy
from bridge.tokens import read_token
from ledger.addresses import DEPLOYMENT_PROXY

if TYPE_CHECKING:
    from bridge.chain import Chain
    from bridge.keys import Signer
    from ledger import Ledger
    from ledger.model import Address


@dataclass(frozen=True, slots=True)
class Deployment:
    """One contract, and whether this run put it there."""

    name: str
    """"AccountFactory", or an asset's symbol."""
    address: Address
    is_new: bool
    gas_used: int


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What is on the chain now."""

    chain_id: int
    factory: Deployment
    tokens: tuple[Deployment, ...]

    @property
    def gas_used(self) -> int:
        """Gas of everything this run deployed."""
        return self.factory.gas_used + sum(token.gas_used for token in self.tokens)


def deploy(
    ledger: Ledger,
    chain: Chain,
    signer: Signer,
    *,
    allow_own_registrar: bool = False,
    progress: ReportProgress = ignore,
) -> DeployReport:
    """Deploy what is not there yet; an asset without an operator gets `signer` as its.

    Raises:
        CustodyError: the chain is not a local test chain, and derived accounts have the ledger's
            own key as registrar; `allow_own_registrar` says that this is wanted.
        ForeignContractError: there is another contract where one of ours must be.
        ChainError: the node does not answer, or a transaction fails.
    """
    if not (chain.is_local_test or allow_own_registrar):
        _check_custody(ledger)
    ensure_deployment_proxy(chain, signer)
    factory = _create(chain, signer, "AccountFactory", factory_creation())
    _check_code(chain, factory, factory_creation())
    assets = ledger.assets()
    tokens: list[Deployment] = []
    for done, asset in enumerate(assets):
        progress(Progress("contracts", done, len(assets)))
        owned = asset if asset.operator else ledger.set_operator(asset.symbol, signer.address)
        creation = token_creation(ledger.identity.ledger_id, owned)
        tokens.append(_create(chain, signer, owned.symbol, creation))
        read_token(chain, ledger.identity, owned, chain.block())
    progress(Progress("contracts", len(assets), len(assets)))
    return DeployReport(chain.chain_id, factory, tuple(tokens))


def _check_custody(ledger: Ledger) -> None:
    """Raise CustodyError if the key that may claim every derived balance is in the database."""
    identity = ledger.identity
    if identity.pepper is not None and not identity.own_registrar:
        return
    for account in ledger.accounts():
        if account.derived and account.registrar == identity.registrar:
            if identity.pepper is None:
                raise CustodyError(
                    "this ledger was imported without its pepper, so nobody can tell whether its "
                    "registrar's key lies in a database: import it with --secrets, or say "
                    "--allow-own-registrar"
                )
            raise CustodyError(
                f"account {account.account_id} and perhaps others have the ledger's own key as "
                "registrar: whoever reads the database can claim their tokens. Create the ledger "
                "with --registrar, or say --allow-own-registrar"
            )


def _create(chain: Chain, signer: Signer, name: str, creation: Creation) -> Deployment:
    """Deploy `creation` through the proxy, unless something is at its address."""
    if chain.code(creation.address, chain.block()):
        return Deployment(name, creation.address, is_new=False, gas_used=0)
    data = creation.salt + creation.code
    gas = chain.estimate_gas(signer.address, DEPLOYMENT_PROXY, data)
    signed = chain.transact(signer, DEPLOYMENT_PROXY, data, gas=gas + gas // 10)
    try:
        receipt = chain.send_and_wait(signed, f"deploying {name}")
    except ChainError:
        # Somebody may have been quicker; then the proxy's CREATE2 fails, and all is well.
        if chain.code(creation.address, chain.block()):
            return Deployment(name, creation.address, is_new=False, gas_used=0)
        raise
    return Deployment(name, creation.address, is_new=True, gas_used=receipt.gas_used)


def _check_code(chain: Chain, deployed: Deployment, creation: Creation) -> None:
    """Raise ForeignContractError unless the code is what `creation` deploys."""
    at = chain.block()
    if chain.code(deployed.address, at) != chain.call(None, creation.code, at=at):
        raise ForeignContractError(
            f"{deployed.name}: the contract at {deployed.address} has other code than ours"
        )
