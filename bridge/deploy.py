"""Putting a ledger's contracts on a chain: the proxy, the account factory, a token for each asset.

Every address is known beforehand and says what lies there (CREATE2), so it does not matter who
deploys, or how often: what is there already is compared and left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.artifacts import Creation, factory_creation, token_creation
from bridge.batches import ETHEREUM
from bridge.errors import ChainError, CustodyError, ForeignContractError
from bridge.keys import PUBLIC_ADDRESSES, TEST_ADDRESS
from bridge.outbox import Subject
from bridge.progress import Progress, ReportProgress, ignore
from bridge.proxy import ensure_deployment_proxy
from bridge.sending import Sender
from bridge.tokens import check_operators, on_chain, read_token
from ledger.addresses import DEPLOYMENT_PROXY
from ledger.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.batches import Limits
    from bridge.chain import Chain
    from bridge.fees import FeePolicy
    from bridge.keys import TransactionSigner
    from bridge.patience import Patience
    from ledger import Asset, Ledger
    from ledger.model import Address

_PLANNED: Final = "If this chain charges gas by EIP-8037, say --rules planned"
_BEGIN_ANEW: Final = "Create the ledger with --registrar, or say --allow-own-registrar"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One contract, and whether this run put it there."""

    name: str
    """"AccountFactory", or an asset's symbol."""
    address: Address
    is_new: bool
    gas_used: int
    operator: Address | None = None
    """Who may replay, if it is a token; None once that is live."""
    stands_in: bool = False
    """Whether that is the public test key in place of an operator, stored nowhere."""


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What is on the chain now."""

    chain_id: int
    signer: Address
    """Who deployed; whoever that is, only its operator can replay to a token."""
    factory: Deployment
    tokens: tuple[Deployment, ...]

    @property
    def gas_used(self) -> int:
        """Gas of everything this run deployed."""
        return self.factory.gas_used + sum(token.gas_used for token in self.tokens)


def deploy(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    *,
    allow_own_registrar: bool = False,
    limits: Limits = ETHEREUM,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    progress: ReportProgress = ignore,
    say: Callable[[str], None] | None = None,
) -> DeployReport:
    """Deploy what is not there yet; `limits`, `fees`, `patience` and `say` are as for `replay`.

    An asset without an operator gets `signer` as its, for good, once its token is there. The public
    test key is never stored: it stands in, on local test chains only (`tokens.on_chain`).

    Raises:
        BusyError: another process sends with this key from this database.
        CustodyError: the chain is not a local test chain, and an operator, a registrar or `signer`
            is a public test key; or derived accounts have the ledger's own key as registrar,
            unless `allow_own_registrar` says that this is wanted.
        ForeignContractError: there is another contract where one of ours must be.
        ChainError: the node does not answer, or a transaction fails.
    """
    assets = ledger.assets()
    check_operators(chain, assets, signer)
    if not chain.is_local_test:
        check_custody(ledger, allow_own=allow_own_registrar)
    for asset in assets:
        owned = _owned(chain, signer, asset)
        address = token_creation(ledger.identity.ledger_id, owned).address
        _check_nobody_there(ledger, owned, address)
    with Sender(
        ledger, chain, signer, fees=fees, patience=patience,
        gas_cap=limits.transaction_gas, gas_advice="" if limits.rules.slot_state else _PLANNED,
        say=say,
    ) as sender:  # fmt: skip
        sender.settle()
        ensure_deployment_proxy(sender)
        factory = _create(sender, "AccountFactory", factory_creation(), Subject())
        _check_code(chain, factory, factory_creation())
        tokens: list[Deployment] = []
        for done, asset in enumerate(assets):
            progress(Progress("contracts", done, len(assets)))
            tokens.append(_deploy_token(ledger, sender, signer, asset))
        progress(Progress("contracts", len(assets), len(assets)))
        return DeployReport(chain.chain_id, signer.address, factory, tuple(tokens))


def _deploy_token(
    ledger: Ledger, sender: Sender, signer: TransactionSigner, asset: Asset
) -> Deployment:
    """Deploy the token of `asset`; its operator is stored after that, if it had none."""
    chain = sender.chain
    is_new_operator = asset.operator is None and not signer.is_public
    owned = _owned(chain, signer, asset)
    creation = token_creation(ledger.identity.ledger_id, owned)
    token = _create(sender, owned.symbol, creation, Subject(asset.number))
    found = read_token(chain, ledger.identity, owned, chain.block())
    if is_new_operator:
        ledger.set_operator(asset.symbol, signer.address)
    stands_in = asset.operator is None and not is_new_operator
    operator = None if found.live else found.operator  # who it is now: it may have changed hands
    return replace(token, operator=operator, stands_in=stands_in and operator == TEST_ADDRESS)


def _owned(chain: Chain, signer: TransactionSigner, asset: Asset) -> Asset:
    """Return `asset` with the operator that its token on `chain` has, or will have."""
    if asset.operator is None and not signer.is_public:
        return replace(asset, operator=signer.address)
    return on_chain(chain, asset)


def _check_nobody_there(ledger: Ledger, asset: Asset, token: Address) -> None:
    """Raise CustodyError if an account at the token's own address holds what would strand there."""
    try:
        account = ledger.account(str(token).lower())
    except NotFoundError:
        return
    for held in ledger.assets():
        if balance := ledger.get_balance(account.account_id, held.symbol):
            raise CustodyError(
                f"account {account.account_id} is the token contract of {asset.symbol} and holds "
                f"{held.format(balance)} {held.symbol}, which nobody could ever move on the chain: "
                "transfer it to another account first"
            )


def check_custody(ledger: Ledger, *, allow_own: bool, advice: str = _BEGIN_ANEW) -> None:
    """Raise CustodyError if others may have the key that may claim derived balances.

    `advice` is what can be done about the ledger's own key.
    """
    identity = ledger.identity
    is_doubtful = not allow_own and (identity.own_registrar or identity.pepper is None)
    for account in ledger.accounts():
        if account.derived and account.registrar in PUBLIC_ADDRESSES:
            raise CustodyError(
                f"account {account.account_id} and perhaps others have {account.registrar} as "
                "registrar, a test key that everybody has: create the ledger with a --registrar "
                "of your own"
            )
        if is_doubtful and account.derived and account.registrar == identity.registrar:
            if identity.pepper is None:
                raise CustodyError(
                    "this ledger was imported without its pepper, so nobody can tell whether its "
                    "registrar's key lies in a database: import it with --secrets, or say "
                    "--allow-own-registrar"
                )
            raise CustodyError(
                f"account {account.account_id} and perhaps others have the ledger's own key as "
                f"registrar: whoever reads the database can claim their tokens. {advice}"
            )


def _create(sender: Sender, name: str, creation: Creation, subject: Subject) -> Deployment:
    """Deploy `creation` through the proxy, unless something is at its address."""
    chain = sender.chain
    if chain.code(creation.address, chain.block()):
        return Deployment(name, creation.address, is_new=False, gas_used=0)
    try:
        receipt = sender.send(
            "deploy", DEPLOYMENT_PROXY, creation.salt + creation.code, subject=subject
        )
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
