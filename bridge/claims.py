"""Claims: all that lies at a derived address goes to the wallet that its registrar authorised.

Three parts, each in another's hands: the ledger's operator prepares a claim, the registrar signs
it, perhaps on a computer without a network, and anybody sends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.artifacts import token_creation
from bridge.authorisations import ClaimAuthorisation, is_signed_by_key
from bridge.calls import ask, stored, transact
from bridge.chain import LOCAL_CHAIN_IDS
from bridge.codec import encode_call
from bridge.errors import (
    AuthorisationError,
    ChainError,
    FailedTransactionError,
    RevertedError,
)
from bridge.keys import TEST_ADDRESS, Signer
from bridge.sending import Sender
from bridge.tokens import read_balances, read_token_at
from ledger.addresses import account_key, check_linkable
from ledger.errors import FieldError
from ledger.formats import FACTORY
from ledger.hashing import keccak_text
from ledger.ids import asset_id
from ledger.model import AssetTerms, Hash32
from ledger.results import Asset

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.authorisations import Authorisation
    from bridge.chain import Block, Chain, TransactionReceipt
    from bridge.fees import FeePolicy
    from bridge.keys import TransactionSigner
    from bridge.outbox import Store
    from bridge.patience import Patience
    from ledger import Account, Ledger
    from ledger.model import Address

CLAIMED: Final = Hash32(keccak_text("Claimed(address,address,address,bytes32,uint256)"))
"""topics[0] of the event of a claim."""

_CLAIM: Final = "claim(bytes32,address,address,uint256,bytes)"
_PURPOSE: Final = "claim"


@dataclass(frozen=True, slots=True)
class ClaimReport:
    """What a claim moved."""

    chain_id: int
    token: Address
    symbol: str
    decimals: int
    account: Address
    wallet: Address
    amount: int
    """In base units."""
    transaction: Hash32
    block_number: int
    gas_used: int
    was_claimed: bool = False
    """Whether an earlier run had sent it already, and this one sent nothing."""


# --- by the ledger's operator ---


def prepare_claim(
    ledger: Ledger,
    account_id: str,
    wallet: Address,
    *,
    chain_id: int,
    deadline: int,
    nonce: int = 0,
    asset: str | None = None,
) -> ClaimAuthorisation:
    """Return the claim of all that an account has of an asset, for its registrar to sign.

    No node is asked. `nonce` is how often the account was claimed from on that token before
    (`next_nonce` reads it); `deadline` is in seconds since 1970.

    Raises:
        AuthorisationError: the account is not derived, or `wallet` could not hold the tokens.
        NoContractError: the asset has no operator yet, so its token has no address.
        RefusedError: UNKNOWN_ACCOUNT, UNKNOWN_ASSET, ASSET_REQUIRED.
    """
    account = derived_account(ledger, account_id)
    found = ledger.asset(asset)
    token = token_at(ledger, found, chain_id)
    try:
        check_linkable(wallet, frozenset({FACTORY, token, account.address}))
    except FieldError as error:
        raise AuthorisationError("wallet", error.message.removeprefix("address: ")) from None
    return ClaimAuthorisation(
        chain_id=chain_id,
        ledger_id=ledger.identity.ledger_id,
        key=account_key(account.blind, account.account_id),
        registrar=account.registrar,
        deadline=deadline,
        token=token,
        token_version=found.token_version,
        asset=AssetTerms(found.symbol, found.name, found.decimals),
        wallet=wallet,
        nonce=nonce,
    )


def derived_account(ledger: Ledger, account_id: str) -> Account:
    """Return an account whose address is derived.

    Raises:
        AuthorisationError: its address is its owner's own: no registrar has a part in it.
        NotFoundError: UNKNOWN_ACCOUNT.
    """
    account = ledger.account(account_id)
    if not account.derived:
        raise AuthorisationError(
            "account",
            f"{account_id!r} is at {account.address}, its owner's own address: whoever has that "
            "has the tokens, and no registrar can authorise anything",
        )
    return account


def token_at(ledger: Ledger, asset: Asset, chain_id: int) -> Address:
    """Return where the token of `asset` lies on a chain; NoContractError if nowhere yet."""
    if asset.operator is None and chain_id in LOCAL_CHAIN_IDS:
        asset = replace(asset, operator=TEST_ADDRESS)
    return token_creation(ledger.identity.ledger_id, asset).address


def next_nonce(chain: Chain, authorisation: ClaimAuthorisation) -> int:
    """Return how often the account was claimed from on its token; 0 where no token is yet."""
    at = chain.block()
    if not chain.code(authorisation.token, at):
        return 0
    return _nonce(chain, authorisation, at)


# --- by the registrar ---


def own_registrar(ledger: Ledger, authorisation: Authorisation) -> Signer:
    """Return the ledger's own registrar, whose key is made from its pepper.

    Raises:
        AuthorisationError: the account has another registrar, or the pepper is not here.
    """
    pepper = ledger.identity.pepper
    if pepper is not None:
        signer = Signer.of_pepper(pepper)
        if signer.address == authorisation.registrar:
            return signer
    raise AuthorisationError(
        "registrar",
        f"{authorisation.registrar} is not this ledger's own key: have it sign, with --keystore, "
        "or elsewhere and --signature",
    )


def sign_authorisation(authorisation: Authorisation, registrar: Signer) -> Authorisation:
    """Return `authorisation`, signed by the registrar's key.

    Raises:
        AuthorisationError: `registrar` is another key than the account's registrar.
    """
    if registrar.address != authorisation.registrar:
        raise AuthorisationError(
            "registrar",
            f"is {authorisation.registrar}, and the key is of {registrar.address}: give the "
            "registrar's; a contract wallet signs elsewhere (--typed-data, then --signature)",
        )
    return replace(authorisation, signature=registrar.sign_digest(authorisation.digest))


# --- by anybody ---


def check_claim(chain: Chain, claim: ClaimAuthorisation) -> int:
    """Return what the claim would move, in base units, after everything was looked at.

    Raises:
        AuthorisationError: naming the field that does not hold, or not any more.
        NoContractError, ForeignContractError: no token of that ledger and asset is there.
        ChainError: the node does not do its part.
    """
    at = chain.block()
    check_place(chain, claim, at)
    token = read_token_at(chain, claim.ledger_id, _asset(claim), claim.token, at)
    if not token.live:
        raise AuthorisationError(
            "token", f"{claim.token} still mirrors its ledger: it can be claimed from once live"
        )
    if (nonce := _nonce(chain, claim, at)) != claim.nonce:
        raise AuthorisationError(
            "nonce",
            f"is {claim.nonce}, and the account's next is {nonce}: "
            + ("it was claimed from meanwhile" if nonce > claim.nonce else "sign it with that"),
        )
    check_registrar_signed(chain, claim, at)
    balance = next(read_balances(chain, claim.token, [claim.account], at))
    if balance == 0:
        raise AuthorisationError("account", f"{claim.account} holds nothing, so nothing to claim")
    return balance


def send_claim(
    store: Store,
    chain: Chain,
    signer: TransactionSigner,
    claim: ClaimAuthorisation,
    *,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    say: Callable[[str], None] | None = None,
) -> ClaimReport:
    """Check the claim, send it, wait until it is mined, and report what it moved.

    What is signed is in `store` before it is broadcast. So a run that was cut short is simply run
    again: it goes on with what the first one signed, and reports what came of it.

    Args:
        store: a ledger, or an `OutboxFile` for who has none.
        chain: where the token is.
        signer: pays the gas, and has no other part in it.
        claim: what the registrar allowed.
        fees: how much may be paid for gas.
        patience: how long the chain is waited for.
        say: is told, in a sentence, what is being waited for.

    Raises:
        As `check_claim`, and:
        RevertedError: the contract would refuse it all the same; nothing is under way.
        BusyError: another process sends with this key from this store.
        TransactionError: it was mined and failed, or is not mined in time.
    """
    check_chain(chain, claim)
    arguments = (claim.key, claim.registrar, claim.wallet, claim.deadline, claim.signature)
    data = encode_call(_CLAIM, *arguments)
    with Sender(store, chain, signer, fees=fees, patience=patience, say=say) as sender:
        sender.settle()
        for receipt in stored(sender, claim.token, data, purpose=_PURPOSE):
            if (amount := _claimed(claim, receipt)) is not None:
                return _report(chain, claim, receipt, amount, was_claimed=True)
        check_claim(chain, claim)
        what = f"the claim of {claim.account}"
        try:
            receipt = transact(sender, claim.token, data, what, purpose=_PURPOSE)
        except (RevertedError, FailedTransactionError):
            check_claim(chain, claim)  # names what has changed meanwhile
            raise
    amount = _claimed(claim, receipt)
    if amount is None:
        raise ChainError(f"transaction {receipt.hash} was mined without a claim: look at it")
    return _report(chain, claim, receipt, amount)


def _report(
    chain: Chain,
    claim: ClaimAuthorisation,
    receipt: TransactionReceipt,
    amount: int,
    *,
    was_claimed: bool = False,
) -> ClaimReport:
    """Return what a claim moved."""
    return ClaimReport(
        chain_id=chain.chain_id,
        token=claim.token,
        symbol=claim.asset.symbol,
        decimals=claim.asset.decimals,
        account=claim.account,
        wallet=claim.wallet,
        amount=amount,
        transaction=receipt.hash,
        block_number=receipt.block_number,
        gas_used=receipt.gas_used,
        was_claimed=was_claimed,
    )


def check_place(chain: Chain, authorisation: Authorisation, at: Block) -> None:
    """Raise AuthorisationError unless it is for this chain, in time, and not deployed over."""
    check_chain(chain, authorisation)
    if at.timestamp > authorisation.deadline:
        raise AuthorisationError(
            "deadline", f"{authorisation.deadline} has passed: the chain's time is {at.timestamp}"
        )
    if chain.code(authorisation.account, at):
        raise AuthorisationError(
            "account",
            f"{authorisation.account} is deployed: its owner moves what it holds, and the "
            "registrar no longer has a part in it",
        )


def check_chain(chain: Chain, authorisation: Authorisation) -> None:
    """Raise AuthorisationError unless it is for this chain."""
    if authorisation.chain_id != chain.chain_id:
        raise AuthorisationError(
            "chain_id", f"is {authorisation.chain_id}, and {chain.name} serves {chain.chain_id}"
        )


def check_registrar_signed(chain: Chain, authorisation: Authorisation, at: Block) -> None:
    """Raise AuthorisationError if the signature cannot be the registrar's.

    Whether a registrar that is a contract takes it, the contract that is called asks it (ERC-1271).
    """
    if not authorisation.signature:
        raise AuthorisationError(
            "signature",
            f"is missing: have the registrar, {authorisation.registrar}, sign the file "
            "(`evm-ledger chain claim sign`)",
        )
    if not is_signed_by_key(authorisation) and not chain.code(authorisation.registrar, at):
        raise AuthorisationError(
            "signature",
            f"is not by the registrar, {authorisation.registrar}, which is no contract on this "
            "chain either: the file was altered, or signed by somebody else",
        )


def _nonce(chain: Chain, claim: ClaimAuthorisation, at: Block) -> int:
    """Return the nonce of the next claim."""
    found = ask(chain, claim.token, "claimNonces(address)", claim.account, answer="uint256", at=at)
    return int(found)


def _asset(claim: ClaimAuthorisation) -> Asset:
    """Return the asset as far as a claim knows it; its operator has no part in it."""
    terms = claim.asset
    return Asset(
        number=0,
        id=asset_id(terms),
        symbol=terms.symbol,
        name=terms.name,
        decimals=terms.decimals,
        endowment=0,
        operator=TEST_ADDRESS,
        token_version=claim.token_version,
    )


def _claimed(claim: ClaimAuthorisation, receipt: TransactionReceipt) -> int | None:
    """Return the amount in the event of the claim; None where there is none."""
    for log in receipt.logs:
        if log.address == claim.token and log.topics[:1] == (CLAIMED,):
            return int.from_bytes(log.data[32:64], "big")
    return None
