"""Keys that another program has: it is asked over JSON-RPC to sign, and never believed.

The interface is `eth_signTransaction`: Web3Signer, geth and the gateways before hardware modules
have it. They answer with the raw transaction, some inside an object. Each field of what comes back
is compared with what was asked, and the signature with whose it must be, so that a signer that was
taken over can refuse to sign, and nothing else that would be broadcast here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from bridge.errors import NoAnswerError, RpcError, SignedOtherwiseError, SignerError
from bridge.jsonrpc import JsonRpc, to_hex
from bridge.keys import PUBLIC_ADDRESSES, SignedTransaction
from bridge.rlp import Item, decode_list, encode_bytes, encode_int, encode_list, to_int
from ledger.hashing import keccak
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

TIMEOUT: Final = 120.0
"""Seconds for each request: somebody may have to press a button."""

_DYNAMIC: Final = (
    "chainId",
    "nonce",
    "maxPriorityFeePerGas",
    "maxFeePerGas",
    "gas",
    "to",
    "value",
    "data",
    "accessList",
)
"""What EIP-1559 signs, in its order; the type byte 2 comes before."""
_LEGACY: Final = ("nonce", "gasPrice", "gas", "to", "value", "data")
"""What is signed on a chain without EIP-1559; the chain id is in v (EIP-155)."""

_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""A signature has s up to here (EIP-2)."""


class RemoteSigner:
    """An account of a program that signs, at a URL."""

    def __init__(self, url: str, address: Address, *, timeout: float = TIMEOUT) -> None:
        """Let the program at `url` sign for `address`; nothing is asked yet.

        Raises:
            SignerError: that is no http or https URL.
        """
        with _open(url, timeout) as connection:
            self._name = connection.name
        self._url = url
        self._timeout = timeout
        self.address = address

    def __repr__(self) -> str:
        return f"RemoteSigner({self._name}, {self.address})"

    @classmethod
    def connect(cls, url: str, address: Address | None = None, *, timeout: float = TIMEOUT) -> Self:
        """Return the signer at `url` for `address`, or for its only account.

        Raises:
            SignerError: it does not answer, or has no account, or several and none is chosen.
        """
        if address is None:
            with _open(url, timeout) as connection:
                address = _only_account(connection)
        return cls(url, address, timeout=timeout)

    @property
    def is_public(self) -> bool:
        """Whether everybody has this key."""
        return self.address in PUBLIC_ADDRESSES

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Return `transaction` (the fields that eth-account wants), signed.

        Raises:
            SignerError: the program does not answer, or refuses.
            SignedOtherwiseError: it signed something else, or with another key.
        """
        asked = {"from": str(self.address)}
        for name, value in transaction.items():
            if name != "type":  # which the fees say; not every signer knows the word
                asked[name] = hex(value) if isinstance(value, int) else value
        with _open(self._url, self._timeout) as connection:
            raw = _raw(_ask(connection, "eth_signTransaction", asked), self._name)
        _check(raw, transaction, self.address, self._name)
        return SignedTransaction(raw, Hash32(keccak(raw)), transaction["nonce"])

    def sign_digest(self, digest: Hash32) -> bytes:
        """Refuse: programs that sign whatever hash they are given are not to be run.

        Raises:
            SignerError: always. A keystore file, or the wallet's own tool, signs typed data.
        """
        del digest
        raise SignerError(
            f"{self._name}: a remote signer signs transactions only: this needs a keystore file"
        )


# --- asking ---


def _open(url: str, timeout: float) -> JsonRpc:
    """Return a connection to the signer at `url`."""
    try:
        return JsonRpc(url, timeout)
    except NoAnswerError:
        raise SignerError(
            "the remote signer's URL must start with http:// or https:// and name a host"
        ) from None


def _ask(signer: JsonRpc, method: str, *parameters: object) -> Any:  # noqa: ANN401 (JSON is anything)
    """Return what the signer answers."""
    try:
        return signer.request(method, *parameters)
    except NoAnswerError:
        raise SignerError(
            f"{signer.name}: the remote signer does not answer, or not in JSON-RPC: nothing was "
            "sent; see that it runs there, and run again"
        ) from None
    except RpcError as error:
        raise SignerError(
            f"{signer.name}: the remote signer answered {method} with error {error.code}: "
            f"{error.message}"
        ) from None


def _only_account(signer: JsonRpc) -> Address:
    """Return the signer's account, if it has one only."""
    found = _ask(signer, "eth_accounts")
    if not isinstance(found, list):
        found = [None]
    try:
        accounts = [Address.parse(str(one)) for one in found]
    except ValueError:
        raise SignerError(
            f"{signer.name}: the remote signer's list of accounts is malformed"
        ) from None
    if len(accounts) != 1:
        raise SignerError(
            f"{signer.name}: the remote signer has {len(accounts)} accounts: say which signs, "
            "--signer-address"
        )
    return accounts[0]


def _raw(answer: object, name: str) -> bytes:
    """Return the raw transaction in an answer: hex alone, or in an object with `raw`."""
    text = answer.get("raw") if isinstance(answer, dict) else answer
    if isinstance(text, str) and text.startswith("0x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            pass
    raise SignerError(f"{name}: the remote signer returned no raw transaction")


# --- what came back ---


def _check(raw: bytes, asked: Mapping[str, Any], address: Address, name: str) -> None:
    """Raise SignedOtherwiseError unless `raw` is exactly `asked`, signed by `address`."""
    is_legacy = "gasPrice" in asked
    fields = _LEGACY if is_legacy else _DYNAMIC
    prefix = b"" if is_legacy else b"\x02"
    items = _decoded(raw, prefix, len(fields) + 3, name)
    wanted = [_encoded(field, asked.get(field, b"")) for field in fields]
    for field, found, expected in zip(fields, items, wanted, strict=False):
        if found.raw != expected:
            (shown,) = decode_list(encode_list([expected]))
            raise SignedOtherwiseError(name, field, _shown(field, found), _shown(field, shown))
    v, r, s = (item.payload for item in items[-3:])
    parity = _parity(v, asked["chainId"], name, is_legacy=is_legacy)
    unsigned = [*wanted, encode_int(asked["chainId"]), encode_int(0), encode_int(0)]
    digest = keccak(prefix + encode_list(unsigned if is_legacy else wanted))
    signature = b"".join(part.rjust(32, b"\x00") for part in (r, s)) + bytes([parity])
    signer = _signer(digest, signature)
    if signer != address or int.from_bytes(s, "big") > _HALF_ORDER:
        shown_signer = "nobody's" if signer is None else str(signer)
        raise SignedOtherwiseError(name, "signature", shown_signer, str(address))


def _decoded(raw: bytes, prefix: bytes, count: int, name: str) -> list[Item]:
    """Return the items of a transaction, which is written the one way that it can be."""
    if raw[: len(prefix)] != prefix:
        shown = f"type {raw[0]}" if raw else "nothing"
        raise SignedOtherwiseError(name, "type", shown, "type 2" if prefix else "a list")
    try:
        items = decode_list(raw[len(prefix) :])
        is_whole = len(items) == count and all(to_int(part) >= 0 for part in items[-3:])
    except ValueError:  # no list, or a part of the signature is no number
        is_whole, items = False, []
    if not is_whole:
        raise SignerError(f"{name}: the remote signer returned no well-formed transaction")
    return items


def _encoded(field: str, value: object) -> bytes:
    """Return a field as a transaction has it; nobody asks for a list of accesses."""
    if field == "accessList":
        return encode_list([])
    if isinstance(value, int):
        return encode_int(value)
    return encode_bytes(value if isinstance(value, bytes) else bytes.fromhex(str(value)[2:]))


def _shown(field: str, item: Item) -> str:
    """Return a field as an error shows it."""
    if item.is_list:
        return "a list"
    if field == "to":
        return to_hex(item.payload)
    if field == "data":
        return f"{len(item.payload)} bytes"
    return str(int.from_bytes(item.payload, "big"))


def _parity(v: bytes, chain_id: int, name: str, *, is_legacy: bool) -> int:
    """Return 0 or 1 from v, which in an old transaction also says the chain (EIP-155)."""
    number = int.from_bytes(v, "big")
    first = 35 + 2 * chain_id if is_legacy else 0
    if number - first not in {0, 1}:
        chain = (number - 35) // 2 if is_legacy and number >= 35 else None  # noqa: PLR2004 (EIP-155)
        if chain is not None and chain != chain_id:
            raise SignedOtherwiseError(name, "chainId", str(chain), str(chain_id))
        raise SignedOtherwiseError(name, "v", str(number), f"{first} or {first + 1}")
    return number - first


def _signer(digest: bytes, signature: bytes) -> Address | None:
    """Return whose key made `signature` over `digest`, or None."""
    try:
        public = Signature(signature).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        return None
    return Address(public.to_canonical_address())
