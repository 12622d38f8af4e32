"""Accounts of their own: a contract at a derived address, for an owner whom the registrar names.

The owner then moves what lies there, of every token, and signs for it (ERC-1271); the registrar has
no part in it any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.authorisations import DeployAuthorisation
from bridge.calls import ask, rehearse, stored, transact, transact_once
from bridge.claims import check_chain, check_place, check_registrar_signed, derived_account
from bridge.codec import encode_call
from bridge.errors import (
    AuthorisationError,
    ChainError,
    FailedTransactionError,
    NoContractError,
    RevertedError,
    TransactionError,
)
from bridge.outbox import PLACED
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
    from bridge.outbox import Attempt, Store
    from bridge.patience import Patience
    from ledger import Ledger

_PURPOSE: Final = "account"
_KEY: Final = re.compile(r"[ -~]{1,100}")
_TRIES: Final = 8
"""How often a call is signed anew because its nonce went to something else of this store."""
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
    key: str,
    target: Address,
    data: bytes,
    value: int = 0,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
) -> TransactionReceipt:
    """Have `account` call `target` with `data` and `value` wei of its own, as its owner wants.

    An account's contract would do it twice, so `key` names this one call, for good: 1 to 100
    printable ASCII characters, stored with what is signed. Run again with the same key, it finishes
    what an earlier run began, or returns the receipt of what is done. Nothing is signed anew while
    an earlier transaction of that key may be mined. The store knows its own keys only.

    Raises:
        FieldError: `key` has another form, or was used for another call of this account.
        RevertedError: `owner` is not its owner, or the call would revert; nothing is under way.
        BusyError: another process sends with this signer from this store.
        FailedTransactionError: it was mined and failed; to try again, give another key.
        TransactionError: it is not mined in time, or what became of it is not known: run again with
            the same key.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise FieldError("key", "is not 1 to 100 printable ASCII characters")
    call = encode_call("execute(address,uint256,bytes)", target, value, data)
    purpose = f"execute:{key}"
    what = f"what account {account} was to execute for key {key}"
    with Sender(store, chain, owner, fees=fees, patience=patience) as sender:
        used = chain.next_nonce(owner.address, "latest")
        for it in _signed_for(sender, account, call, purpose):
            if it.sender == owner.address and it.status == "dropped" and it.nonce >= used:
                sender.outbox.mark([it.signed.hash], "signed")  # it may have been refused only then
        sender.settle()
        for _ in range(_TRIES):
            done = _executed(sender, account, call, purpose, what)
            if done is None:
                done = transact_once(sender, account, call, what, purpose=purpose)
            if done is not None:
                return done
    raise TransactionError(
        f"{what}: the nonce of {owner.address} is used by other programs all the time: stop them, "
        "then run again with the same key"
    )


def _signed_for(sender: Sender, account: Address, call: bytes, purpose: str) -> list[Attempt]:
    """Return all that was signed for a key of `account`; FieldError if that was another call."""
    found = [it for it in sender.outbox.attempts(purpose=purpose) if it.to == account]
    if any(read_raw(it.signed.raw)[0].data != call for it in found):
        raise FieldError("key", f"was used for another call of account {account}: give a new one")
    return found


def _executed(
    sender: Sender, account: Address, call: bytes, purpose: str, what: str
) -> TransactionReceipt | None:
    """Return the receipt of what an earlier run did; None if nothing can come of what it signed.

    Raises:
        FailedTransactionError: it is in a block and changed nothing.
        TransactionError: it may be mined, or may be already.
        RevertedError: it waits for what the contract would refuse now.
    """
    chain, attempts = sender.chain, _signed_for(sender, account, call, purpose)
    for attempt in attempts:
        receipt = chain.receipt(attempt.signed.hash)
        if receipt is not None and receipt.succeeded:
            return receipt
        if receipt is not None:
            raise FailedTransactionError(
                f"{what}: transaction {receipt.hash} was mined and failed: give another key to try "
                "again"
            )
    for attempt in attempts:
        if _is_lost(sender, attempt):
            continue
        if chain.next_nonce(attempt.sender, "latest") <= attempt.nonce:
            rehearse(chain, sender.address, account, call, what)
        raise TransactionError(
            f"{what}: transaction {attempt.signed.hash}, nonce {attempt.nonce} of "
            f"{attempt.sender}, was signed for it, and this node shows it in no block. It may be "
            "mined all the same, so nothing was signed anew: run again with the same key, or look "
            "with another node; give another key only if you know that it was not mined"
        )
    return None


def _is_lost(sender: Sender, attempt: Attempt) -> bool:
    """Tell whether something else that was signed for its nonce is in a block."""
    placed = sender.outbox.attempts(sender=attempt.sender, nonce=attempt.nonce, statuses=PLACED)
    return any(sender.chain.receipt(it.signed.hash) is not None for it in placed)


def message_digest(chain_id: int, account: Address, hash_: Hash32) -> Hash32:
    """Return what the owner signs so that `account` answers for `hash_` (ERC-1271).

    It is wrapped in the account's own domain, so that the signature serves neither another account
    of that owner nor another chain. An account that is a registrar signs its claims so.
    """
    domain = claim_domain("LedgerAccount", chain_id, account)
    return Hash32(digest(domain, keccak(_MESSAGE + hash_)))
