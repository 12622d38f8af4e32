"""Ledgers on their way to a live token, and what holders do with one, for the tests of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eth_account import Account

from bridge.calls import ask, rehearse
from bridge.claims import next_nonce, prepare_claim, sign_authorisation
from bridge.codec import encode_call
from bridge.deploy import deploy
from bridge.keys import Signer
from bridge.live import finalize
from bridge.replay import replay
from bridge.tokens import read_token
from ledger import Address, Ledger
from tests.bridge import wallet
from tests.bridge.histories import seal_all

if TYPE_CHECKING:
    from bridge.authorisations import Authorisation, ClaimAuthorisation
    from bridge.chain import Chain, TransactionReceipt

REGISTRAR_KEY = Account.from_key("0x" + "4e" * 32)
WALLET_KEY = Account.from_key("0x" + "77" * 32)
REGISTRAR = Signer(REGISTRAR_KEY)
WALLET = Signer(WALLET_KEY)
DAY = 86_400


def holders(url: str, *, registrar: Address = REGISTRAR.address) -> Ledger:
    """Make a sealed ledger of one asset: alice, bob and carol, and a wallet of its own."""
    ledger = Ledger.create(url, registrar=registrar)
    ledger.create_asset("SCI", "SCI token", 6)
    for name, amount in (("alice", 1_000), ("bob", 500), ("carol", 30)):
        ledger.create_account(name, amount)
    ledger.create_account(str(WALLET.address).lower(), 0)
    ledger.transfer("alice", str(WALLET.address).lower(), 200, reason="savings")
    seal_all(ledger)
    return ledger


def go_live(ledger: Ledger, chain: Chain, signer: Signer) -> Address:
    """Deploy, replay and finalize; return the token."""
    deploy(ledger, chain, signer)
    replay(ledger, chain, signer)
    return finalize(ledger, chain, signer).token


def later(chain: Chain, seconds: int = DAY) -> int:
    """Return a moment that is to come."""
    return max(int(time.time()), chain.block().timestamp) + seconds


def token_of(ledger: Ledger, chain: Chain) -> Address:
    """Return the token of the ledger's only asset."""
    return read_token(chain, ledger.identity, ledger.asset(), chain.block()).address


def claim_of(
    ledger: Ledger, chain: Chain, account_id: str, wallet: Address, deadline: int | None = None
) -> ClaimAuthorisation:
    """Return the claim that is to be signed now."""
    made = prepare_claim(
        ledger,
        account_id,
        wallet,
        chain_id=chain.chain_id,
        deadline=later(chain) if deadline is None else deadline,
    )
    return replace(made, nonce=next_nonce(chain, made))


def signed(made: Authorisation, registrar: Signer = REGISTRAR) -> Any:  # noqa: ANN401 (of the same kind)
    """Return it signed by a key."""
    return sign_authorisation(made, registrar)


def balance(chain: Chain, token: Address, holder: Address) -> int:
    """Return a balance, as anybody asks for one."""
    found = ask(chain, token, "balanceOf(address)", holder, answer="uint256", at=chain.block())
    return int(found)


def send(
    chain: Chain, signer: Signer, contract: Address, signature: str, *arguments: object
) -> TransactionReceipt:
    """Call a contract in a transaction."""
    data = encode_call(signature, *arguments)
    gas = rehearse(chain, signer.address, contract, data, signature)
    made = wallet.transact(chain, signer, contract, data, gas=gas + gas // 8)
    return wallet.send_and_wait(chain, made, signature)
