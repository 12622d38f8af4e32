"""Accounts of their own: a contract at a derived address, for an owner whom the registrar names.

The owner then moves what lies there, of every token, and signs for it (ERC-1271); the registrar has
no part in it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.authorisations import DeployAuthorisation
from bridge.calls import ask, stored, transact
from bridge.claims import check_chain, check_place, check_registrar_signed, derived_account
from bridge.codec import encode_call
from bridge.errors import (
    AuthorisationError,
    ChainError,
    FailedTransactionError,
    NoContractError,
    RevertedError,
)
from bridge.raw import read_raw
from bridge.sending import Sender
from ledger.addresses import account_key, check_linkable
from ledger.encoding import digest
from ledger.errors import FieldError
from ledger.formats import FACTORY
from ledger.hashing import keccak, keccak_text
from ledger.ids import claim_domain
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.chain import Chain, TransactionReceipt
    from bridge.fees import FeePolicy
    from bridge.keys import TransactionSigner
    from bridge.outbox import Store
    from bridge.patience import Patience
    from ledger import Ledger

_PURPOSE: Final = "account"
_DEPLOY: Final = "deploy(bytes32,bytes32,address,address,uint256,bytes)"
_MESSAGE: Final = keccak_text("LedgerAccountMessage(bytes32 hash)")


@dataclass(frozen=True, slots=True)
class AccountReport:
    """An account's contract, as it was put on the chain."""

    chain_id: int
    account: Address
    owner: Address
    transaction: Hash32
    block_number: int
    gas_used: int
    was_deployed: bool = False
    """Whether an earlier run had sent it already, and this one sent nothing."""


def prepare_account(
    ledger: Ledger, account_id: str, owner: Address, *, chain_id: int, deadline: int
) -> DeployAuthorisation:
    """Return the deployment of an account's contract for `owner`, for its registrar to sign.

    No node is asked. `deadline` is in seconds since 1970.

    Raises:
        AuthorisationError: the account is not derived, or `owner` could not own it.
        NotFoundError: UNKNOWN_ACCOUNT.
    """
    account = derived_account(ledger, account_id)
    try:
        check_linkable(owner, frozenset({FACTORY, account.address}))
    except FieldError as error:
        raise AuthorisationError("owner", error.message.removeprefix("address: ")) from None
    return DeployAuthorisation(
        chain_id=chain_id,
        ledger_id=ledger.identity.ledger_id,
        key=account_key(account.blind, account.account_id),
        registrar=account.registrar,
        deadline=deadline,
        owner=owner,
    )


def check_account(chain: Chain, deployment: DeployAuthorisation) -> None:
    """Look at everything that a deployment needs.

    Raises:
        AuthorisationError: naming the field that does not hold, or not any more.
        NoContractError: the factory is not on this chain.
        ChainError: the node does not do its part.
    """
    at = chain.block()
    check_place(chain, deployment, at)
    if not chain.code(FACTORY, at):
        raise NoContractError(
            f"no AccountFactory at {FACTORY} on chain {chain.chain_id}: run "
            "`evm-ledger chain deploy`; anybody may"
        )
    check_registrar_signed(chain, deployment, at)


def deploy_account(
    store: Store,
    chain: Chain,
    signer: TransactionSigner,
    deployment: DeployAuthorisation,
    *,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    say: Callable[[str], None] | None = None,
) -> AccountReport:
    """Put an account's contract at its derived address, for the owner that is authorised.

    `signer` pays the gas and has no other part in it. Arguments are those of `send_claim`, and so
    is what happens to a run that was cut short: run it again.

    Raises:
        As `check_account`, and:
        RevertedError: the factory would refuse it all the same; nothing is under way.
        BusyError: another process sends with this key from this store.
        TransactionError: it was mined and failed, or is not mined in time.
    """
    check_chain(chain, deployment)
    it = deployment
    arguments = (it.ledger_id, it.key, it.registrar, it.owner, it.deadline, it.signature)
    data = encode_call(_DEPLOY, *arguments)
    with Sender(store, chain, signer, fees=fees, patience=patience, say=say) as sender:
        sender.settle()
        if chain.code(it.account, chain.block()):
            for receipt in stored(sender, FACTORY, data, purpose=_PURPOSE):
                return _report(chain, it, receipt, was_deployed=True)
        check_account(chain, it)
        what = f"the deployment of account {it.account}"
        try:
            receipt = transact(sender, FACTORY, data, what, purpose=_PURPOSE)
        except (RevertedError, FailedTransactionError):
            check_account(chain, it)  # names what has changed meanwhile
            raise
    owner = read_owner(chain, it.account)
    if owner != it.owner:
        raise ChainError(f"account {it.account} belongs to {owner}, not to {it.owner}")
    return _report(chain, it, receipt)


def _report(
    chain: Chain,
    it: DeployAuthorisation,
    receipt: TransactionReceipt,
    *,
    was_deployed: bool = False,
) -> AccountReport:
    """Return what was put on the chain."""
    return AccountReport(
        chain_id=chain.chain_id,
        account=it.account,
        owner=it.owner,
        transaction=receipt.hash,
        block_number=receipt.block_number,
        gas_used=receipt.gas_used,
        was_deployed=was_deployed,
    )


def read_owner(chain: Chain, account: Address) -> Address:
    """Return who owns an account that is deployed; NoContractError if it is not."""
    at = chain.block()
    if not chain.code(account, at):
        raise NoContractError(f"account {account} is not deployed on chain {chain.chain_id}")
    return Address.parse(ask(chain, account, "owner()", answer="address", at=at))


def execute(
    store: Store,
    chain: Chain,
    owner: TransactionSigner,
    account: Address,
    *,
    target: Address,
    data: bytes,
    value: int = 0,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
) -> TransactionReceipt:
    """Have `account` call `target` with `data` and `value` wei of its own, as its owner wants.

    If an earlier run signed the very same and was cut short before it knew the end, that is
    finished, and not done again. What is known to be done is done again: nothing in an account's
    contract says that twice would be wrong.

    Raises:
        RevertedError: `owner` is not its owner, or the call would revert; nothing is under way.
        BusyError: another process sends with this key from this store.
        TransactionError: it was mined and failed, or is not mined in time.
    """
    call = encode_call("execute(address,uint256,bytes)", target, value, data)
    what = f"what account {account} was to execute"
    with Sender(store, chain, owner, fees=fees, patience=patience) as sender:
        for landed in sender.settle():
            asked = read_raw(landed.attempt.signed.raw)[0]
            if landed.receipt.succeeded and (asked.to, asked.data) == (account, call):
                return landed.receipt
        return transact(sender, account, call, what, purpose="execute")


def message_digest(chain_id: int, account: Address, hash_: Hash32) -> Hash32:
    """Return what the owner signs so that `account` answers for `hash_` (ERC-1271).

    It is wrapped in the account's own domain, so that the signature serves neither another account
    of that owner nor another chain. An account that is a registrar signs its claims so.
    """
    domain = claim_domain("LedgerAccount", chain_id, account)
    return Hash32(digest(domain, keccak(_MESSAGE + hash_)))
