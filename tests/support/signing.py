"""A remote signer of the tests: answers `eth_signTransaction`, as told or otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from eth_account import Account

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.local import LocalAccount

    from tests.support.rpc_proxy import Behave, Forward, Json

Fields: TypeAlias = "dict[str, Any]"

NUMBERS = ("chainId", "nonce", "gas", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "value")


def fields_of(request: Json) -> Fields:
    """Return the transaction of an `eth_signTransaction` as eth-account wants it."""
    [asked] = request["params"]
    fields = {name: value for name, value in asked.items() if name != "from"}
    for name in NUMBERS:
        if name in fields:
            fields[name] = int(fields[name], 16)
    if "maxFeePerGas" in fields:
        fields["type"] = 2
    return fields


def raw_of(account: LocalAccount, fields: Fields) -> str:
    """Return the raw transaction that `account` signs."""
    return "0x" + account.sign_transaction(fields).raw_transaction.hex().removeprefix("0x")


def signs(
    *accounts: LocalAccount,
    alter: Callable[[Fields], Fields] = lambda fields: fields,
    answer: Callable[[str], Any] = lambda raw: raw,
) -> Behave:
    """Return how a signer with `accounts` behaves: it signs the altered fields, and says `answer`.

    Set it as an `RpcProxy`'s behaviour; what is no business of a signer goes on to the node.
    """
    by_address = {account.address: account for account in accounts}

    def behave(request: Json, forward: Forward) -> Json:
        if request["method"] == "eth_accounts":
            return {"jsonrpc": "2.0", "id": request["id"], "result": [*by_address]}
        if request["method"] != "eth_signTransaction":
            return forward(request)
        account = by_address[request["params"][0]["from"]]
        result = answer(raw_of(account, alter(fields_of(request))))
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}

    return behave


def account(byte: str) -> LocalAccount:
    """Return the account whose key is `byte`, 32 times."""
    made: LocalAccount = Account.from_key("0x" + byte * 32)
    return made
