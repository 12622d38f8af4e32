"""What each transaction of a token's life costs: `contracts/gas.json`, rewritten by `make gas`.

The figures are whole transactions (the 21,000, calldata and refunds included) under the rules of
Osaka, the same on every node; a test compares them exactly, so none changes unseen.
"""

from __future__ import annotations

import json
import random
import sys
from typing import TYPE_CHECKING, Any, Final

from ledger.hashing import keccak
from ledger.merkle import consistency_proof
from ledger.model import Hash32, Record
from tests.contracts.chain import Contract, artifact, deploy, from_hex, transact
from tests.contracts.deferred import new_deferred
from tests.contracts.people import ALICE, BOB, OPERATOR, REGISTRAR, STRANGER, sign
from tests.contracts.test_accounts import Accounts, factory_on, sign_message
from tests.contracts.test_entry_proof import batch_of, entries, id_of, words
from tests.contracts.token import KEY, LEDGER_ID, NEVER, Token, address, derived, mint, new_token
from tests.support.guardian import Guardian
from tests.support.nodes import CONTRACTS, Node, reset_base_fee, start_anvil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SNAPSHOT: Final = CONTRACTS / "gas.json"
DEPTHS: Final = (0, 10, 20, 32)
PERMIT: Final = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"

Figures = dict[str, int]


def used(receipt: Mapping[str, Any]) -> int:
    """Return the gas of a transaction, or of a block."""
    return int(receipt["gasUsed"], 16)


def measure(node: Node) -> Figures:
    """Return the gas of every transaction, in the order of a token's life."""
    figures = dict(_deployments(node))
    accounts, token = factory_on(node), new_token(node)
    figures |= _mirror(token)
    figures |= _live(token, accounts)
    figures |= _deferral(node)
    figures |= _proofs(deploy(node, "EntryProof"))
    return figures


def _deployments(node: Node) -> Iterator[tuple[str, int]]:
    """Yield what the creation of each contract costs, without the proxy."""
    for name in ("AccountFactory", "EntryProof"):
        code = {"data": artifact(name)["bytecode"], "from": STRANGER.address, "gas": hex(2**24)}
        yield f"create {name}", used(transact(node, code))
    for name, deploy_it in (
        ("AccountFactory", factory_on),
        ("LedgerToken", new_token),
        ("LedgerTokenDeferred", new_deferred),
    ):
        before = _last_block(node)["number"]
        deploy_it(node)
        block = _last_block(node)
        assert block["number"] != before, "deployed before"
        yield f"deploy {name} by the proxy", used(block)


def _last_block(node: Node) -> dict[str, Any]:
    """Return the last block, which holds one transaction: its gas is that one's."""
    block: dict[str, Any] = node.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 (JSON-RPC)
    return block


def _mirror(token: Token) -> Figures:
    """Return the mirror phase: fixed batches, and the operator's other calls."""
    chance = random.Random(4)
    holders = [address(10**6 + number) for number in range(400)]
    alice, figures = from_hex(ALICE.address), {}

    def record() -> Record:
        amount = chance.randrange(1, 10**6) * 10**16
        return Record(chance.choice(holders), chance.choice(holders), amount)

    figures["replay 1 mint, the token's first"] = used(token.replay(mint(derived(), 1000)))
    figures["replay 1 mint to a new holder"] = used(token.replay(mint(alice, 500)))
    figures["replay 1 mint to a holder"] = used(token.replay(mint(alice, 500)))
    mints = token.replay(*(mint(holder, 10**24) for holder in holders))
    figures["replay 400 mints to new holders"] = used(mints)
    for count in (1, 100, 2000, 4000):
        sent = token.replay(*(record() for _ in range(count)))
        figures[f"replay {count} of 400 holders"] = used(sent)
    registrar = derived(registrar=derived_account())
    token.replay(mint(registrar, 7))
    offer = token.send("transferOperator", BOB.address, sender=OPERATOR.address)
    figures["transferOperator"] = used(offer)
    figures["acceptOperator"] = used(token.send("acceptOperator", sender=BOB.address))
    figures["finalize"] = used(token.finalize(sender=BOB.address))
    return figures


def derived_account() -> str:
    """Return the address of KEY's account under REGISTRAR, a registrar itself once deployed."""
    return "0x" + derived().hex()


def _live(token: Token, accounts: Accounts) -> Figures:
    """Return the live phase: what holders, claimants and owners send."""
    figures: Figures = {}

    def send(about: str, name: str, *arguments: object, sender: str) -> None:
        figures[about] = used(token.send(name, *arguments, sender=sender))

    send("transfer to a new holder", "transfer", BOB.address, 10, sender=ALICE.address)
    send("transfer to a holder", "transfer", BOB.address, 10, sender=ALICE.address)
    send("approve", "approve", STRANGER.address, 50, sender=ALICE.address)
    taken = (ALICE.address, BOB.address, 5)
    send("transferFrom", "transferFrom", *taken, sender=STRANGER.address)
    message = {"owner": ALICE.address, "spender": BOB.address, "value": 50}
    message |= {"nonce": 0, "deadline": NEVER}
    raw = sign(ALICE, token.domain(), "Permit", PERMIT, message)
    given = (ALICE.address, BOB.address, 50, NEVER, raw[64], raw[:32], raw[32:64])
    send("permit", "permit", *given, sender=STRANGER.address)
    signed = token.sign_claim(REGISTRAR, STRANGER.address)
    claimed = (KEY, REGISTRAR.address, STRANGER.address, NEVER, signed)
    send("claim by a key", "claim", *claimed, sender=STRANGER.address)
    figures["deploy an account"] = used(accounts.deploy(accounts.sign()))
    account = Contract(token.node, derived_account(), artifact("LedgerAccount")["abi"])
    digest = token.call("claimDigest", KEY, account.address, account.address, NEVER)
    claimed = (KEY, account.address, account.address, NEVER, sign_message(account, ALICE, digest))
    send("claim by a contract", "claim", *claimed, sender=STRANGER.address)
    inner = from_hex(token.data("transfer", BOB.address, 1))
    execution = (token.address, 0, inner)
    executed = account.send("execute", *execution, sender=ALICE.address)
    figures["transfer by an account"] = used(executed)
    return figures


def _deferral(node: Node) -> Figures:
    """Return a deferral: announced, replayed without balances, settled in two parts."""
    chance, figures = random.Random(5), {}
    token = new_deferred(node)
    holders = [address(10**6 + number) for number in range(400)]
    mints = [mint(holder, 10**24) for holder in holders]
    moves = [
        Record(chance.choice(holders), chance.choice(holders), chance.randrange(1, 10**6) * 10**16)
        for _ in range(4000)
    ]
    announced = token.begin([mints, moves])
    figures["beginDeferral"] = used(_last_block(node))
    figures["replay 400 mints, deferred"] = used(token.replay(*mints))
    figures["replay 4000 of 400 holders, deferred"] = used(token.replay(*moves))
    rows = announced.rows
    figures["settle 200 new holders"] = used(token.settle(rows[:200], rows[200:]))
    figures["settle the last 200, new holders"] = used(token.settle(rows[200:]))
    return figures


def _proofs(contract: Contract) -> Figures:
    """Return EntryProof's answers, as transactions, by the length of the path."""
    figures: Figures = {}
    (entry,) = entries(1)
    for depth in DEPTHS:
        # Leaf 0 of a tree of 2**depth: what the other leaves are does not matter to the gas.
        path = [keccak(bytes([level])) for level in range(depth)]
        node = bytes(keccak(b"\0" + id_of(entry)))
        for sibling in path:
            node = bytes(keccak(b"\x01" + node + sibling))
        batch = batch_of([id_of(entry)], last_seq=2**depth, tree_root=Hash32(node))
        sent = ("isInBatch", LEDGER_ID, entry, words(batch), path)
        assert contract.call(*sent) is True
        receipt = contract.send(*sent, sender=STRANGER.address)
        figures[f"isInBatch, a path of {depth}"] = used(receipt)
    leaves = [id_of(it) for it in entries(1000)]
    old, new = batch_of(leaves[:500]), batch_of(leaves)
    grown = ("isExtended", words(old), words(new), consistency_proof(leaves, 500))
    assert contract.call(*grown) is True
    figures["isExtended, 500 to 1000"] = used(contract.send(*grown, sender=STRANGER.address))
    return figures


def text(figures: Figures) -> str:
    """Return the snapshot as it is written."""
    return json.dumps(figures, indent=2) + "\n"


def main() -> int:
    """Measure on an Anvil of its own, and write the snapshot."""
    guardian = Guardian()
    try:
        node = start_anvil(guardian)
        reset_base_fee(node)
        SNAPSHOT.write_text(text(measure(node)), encoding="utf-8")
    finally:
        guardian.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
