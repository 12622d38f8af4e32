"""Contract wallets: what one answers when it is asked whether it signed a link (ERC-1271)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.codec import encode_call
from bridge.errors import ChainError
from ledger.addresses import normalize_account_id
from ledger.encoding import address_word, ledger_domain, uint_word
from ledger.errors import RefusedError, Rule
from ledger.ids import link_digest
from ledger.links import Link, LinkScheme
from ledger.model import Address

if TYPE_CHECKING:
    from bridge.chain import Chain
    from ledger.model import Hash32

_MAGIC: Final = bytes.fromhex("1626ba7e").ljust(32, b"\0")
"""The one answer that means yes: ERC-1271's bytes4, as the ABI returns it."""

_WORD: Final = 32
_YES: Final = uint_word(1) + uint_word(_WORD) + _MAGIC
"""What the code below returns then, and in no other case."""

_ASKER: Final = Address(bytes.fromhex("a5ced1271".rjust(40, "0")))
"""Where the code below is put for the time of a call; nothing is there."""

# Calldata: the contract (32 bytes), then what it is called with (n bytes, at least 96). Returns
# whether the call went well, how many bytes it returned, and the first 32 of them. So each node
# says in the same way what a contract did, and the contract is called as ERC-1271 has it: static.
_ASK: Final = bytes.fromhex(
    "60203603"  # [n] = calldatasize - 32
    "806020600037"  # memory[0:n] = calldata[32:]
    "602081826000"  # [n, 32, n, n, 0]: the first 32 bytes returned go to memory[n:n+32]
    "6000355afa"  # [n, went well] = staticcall(gas, contract, 0, n, n, 32)
    "600052"  # memory[0:32] = went well
    "3d602052"  # memory[32:64] = returndatasize
    "51604052"  # memory[64:96] = memory[n:n+32]
    "60606000f3"  # return memory[0:96]
)


def check_contract_link(
    chain: Chain, ledger_id: Hash32, account_id: str, address: Address, signature: bytes
) -> Link:
    """Return the link that the contract wallet at `address` agreed to, now and on this chain.

    The wallet is asked whether `signature` (in a form of its own) is one of the digest that
    `link_typed_data` describes with the chain's id. It can change its mind, or be another
    contract elsewhere: what is recorded is that it said so once, and on which chain.

    Raises:
        FieldError: `account_id` cannot be one, or `signature` is not bytes or too long.
        RefusedError: LINK_INVALID; no contract is there, or it gave any answer but yes.
        ChainError: the node could not tell.
    """
    account_id = normalize_account_id(account_id)
    link = Link(LinkScheme.ERC1271, chain.chain_id, signature)
    digest = link_digest(ledger_domain(ledger_id), account_id, address, chain.chain_id)
    question = encode_call("isValidSignature(bytes32,bytes)", digest, signature)
    at = chain.block()
    if not chain.code(address, at):
        raise RefusedError(
            Rule.LINK_INVALID,
            f"{address} has no code on chain {chain.chain_id}: a key proves itself by a signature "
            "of its own (eip712), a contract wallet on the chain that it is on",
        )
    answer = chain.call(_ASKER, address_word(address) + question, at=at, code=_ASK)
    if answer != _YES:
        raise RefusedError(
            Rule.LINK_INVALID,
            f"the contract {address} on chain {chain.chain_id} does not confirm that account "
            f"{account_id!r} of ledger {ledger_id} is its own: it {_said(answer)}",
        )
    return link


def _said(answer: bytes) -> str:
    """Return in words what a contract did that is not `_YES`.

    Raises:
        ChainError: `answer` is not what `_ASK` returns.
    """
    if len(answer) != len(_YES):
        raise ChainError(f"the node answered {len(answer)} bytes for 96: try another node")
    went_well, size, word = answer[:32], int.from_bytes(answer[32:64], "big"), answer[64:]
    if not any(went_well):
        return "reverted"
    return f"returned {size} bytes: 0x{word[:size].hex()}{'...' if size > _WORD else ''}"
