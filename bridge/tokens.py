"""A token contract as the bridge reads it, every read pinned to one block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from bridge.artifacts import token_creation
from bridge.chain import is_revert
from bridge.codec import (
    BATCH_REPLAYED,
    BatchReplayed,
    decode_result,
    encode_call,
    transfer_record,
)
from bridge.deferral import can_defer
from bridge.errors import (
    ChainError,
    ContradictionError,
    CustodyError,
    ForeignContractError,
    NoContractError,
    ReorganisedError,
    RpcError,
)
from bridge.keys import PUBLIC_ADDRESSES, TEST_ADDRESS
from bridge.token_layout import token_code
from ledger.encoding import address_word, ledger_domain
from ledger.model import Address, Hash32, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bridge.chain import Block, Chain
    from bridge.codec import Log, Place
    from bridge.keys import TransactionSigner
    from ledger.results import Asset, Identity

BALANCES_A_CALL: Final = 4_000
LOGS_A_QUERY: Final = 8_000
"""Providers refuse queries of more than 10,000."""
BLOCKS_A_QUERY: Final = 50_000

_READER: Final = Address(bytes.fromhex("00000000000000000000000000000000ba1a9ce5"))
"""Where the code below is put for the time of a call; nothing is there."""

# Calldata: the token (32 bytes), then one word an address. Returns balanceOf of each, or reverts.
_READ_BALANCES: Final = bytes.fromhex(
    "6020"  # [i] = 32, the offset of an address in calldata
    "5b36811015603e57"  # 02 loop: if not i < calldatasize goto end
    "6370a0823160e01b600052"  # memory[0:4] = selector of balanceOf(address)
    "6020816004 37"  # memory[4:36] = calldata[i:i+32]
    "602081602001"  # [i, 32, i+32]: the answer goes to memory[i+32:i+64]
    "602460006000355afa"  # staticcall(gas, token, 0, 36, i+32, 32)
    "3d60201416603757"  # if it went well and returned 32 bytes goto next
    "60006000fd"  # revert
    "5b6020016002 56"  # 37 next: i += 32, goto loop
    "5b602090036040f3"  # 3e end: return memory[64 : 64 + i - 32]
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token contract of this ledger, as it is in one block."""

    asset: Asset
    address: Address
    history: Hash32
    """history_n after `batches` batches."""
    head: Hash32
    """The ledger's head after `last_seq`, as the operator stated it."""
    last_seq: int
    batches: int
    total_supply: int
    operator: Address
    """Who may replay; zero once the token is live."""
    live: bool
    deferring: bool = False
    """Whether balances are to be settled first (docs/deferred.md); the supply then counts as 0."""


# --- operators ---


def on_chain(chain: Chain, asset: Asset) -> Asset:
    """Return `asset` with the operator that its token has on `chain`.

    While an asset has no operator, the public test key stands in on local test chains. It is never
    stored: an operator is for good, and everybody would be the operator of the real token.
    """
    if asset.operator is None and chain.is_local_test:
        return replace(asset, operator=TEST_ADDRESS)
    return asset


def check_operators(chain: Chain, assets: Iterable[Asset], signer: TransactionSigner) -> None:
    """Refuse public test keys on a chain that may be worth something.

    Raises:
        CustodyError: `signer`, or the operator of one of `assets`, is a key that everybody has.
    """
    if chain.is_local_test:
        return
    if signer.is_public:
        raise CustodyError(
            f"chain {chain.chain_id} is no local test chain, and everybody has the key of "
            f"{signer.address}: sign with a key of your own (--keystore)"
        )
    for asset in assets:
        if asset.operator in PUBLIC_ADDRESSES:
            raise CustodyError(
                f"{asset.symbol}: everybody has the key of its operator, {asset.operator}, so it "
                f"stays off chain {chain.chain_id}: create another asset with an operator of your "
                "own (--operator)"
            )


# --- state ---


def read_token(chain: Chain, identity: Identity, asset: Asset, at: Block) -> Token:
    """Return the token of `asset` in block `at`, after making sure that it is this one's.

    Its address commits to the creation code and its arguments (CREATE2); all the same its code is
    compared with what that creation code deploys, and the contract is asked whose token it is.

    Raises:
        NoContractError: the asset has no operator, or nothing is deployed at the address.
        ForeignContractError: there is other code, or a token of another ledger or asset.
    """
    asset = on_chain(chain, asset)
    creation = token_creation(identity.ledger_id, asset)
    if not (code := chain.code(creation.address, at)):
        raise no_contract(chain, identity, asset, at)
    _check_is_ours(chain, identity.ledger_id, asset, creation.address, code, at)
    return _read_state(chain, asset, creation.address, at)


def no_contract(chain: Chain, identity: Identity, asset: Asset, at: Block) -> NoContractError:
    """Return the error for an asset at whose token's address nothing is deployed."""
    address = token_creation(identity.ledger_id, asset).address
    return NoContractError(
        f"{asset.symbol}: no contract at {address} on chain {chain.chain_id}: "
        f"run `evm-ledger chain deploy`{_rehearsed(chain, identity, asset, at)}"
    )


def read_token_at(
    chain: Chain, ledger_id: Hash32, asset: Asset, address: Address, at: Block
) -> Token:
    """Return the token at `address`, if it is one of that asset, whoever its operator is.

    The caller knows the address from elsewhere: everybody may deploy a token of any asset, with an
    operator of their own.

    Raises:
        NoContractError: nothing is deployed at the address.
        ForeignContractError: there is other code, or a token of another ledger or asset.
    """
    if not (code := chain.code(address, at)):
        raise NoContractError(f"no contract at {address} on chain {chain.chain_id}")
    _check_is_ours(chain, ledger_id, asset, address, code, at)
    return _read_state(chain, asset, address, at)


def _rehearsed(chain: Chain, identity: Identity, asset: Asset, at: Block) -> str:
    """Return what to add where the asset's token was rehearsed before it had its operator."""
    if not chain.is_local_test or asset.operator == TEST_ADDRESS:
        return ""
    rehearsal = token_creation(identity.ledger_id, replace(asset, operator=TEST_ADDRESS)).address
    if not chain.code(rehearsal, at):
        return ""
    return (
        f" (what lies at {rehearsal} is a rehearsal from before {asset.operator} became the "
        "operator; nothing goes there any more)"
    )


def _check_is_ours(  # noqa: PLR0917 (whose, which, where, what, when)
    chain: Chain, ledger_id: Hash32, asset: Asset, address: Address, code: bytes, at: Block
) -> None:
    """Raise ForeignContractError if the contract says it is of another ledger, or has other code.

    What it says comes first, because that says more.
    """
    expected = {
        "ledgerId": ledger_id,
        "assetId": asset.id,
        "ledgerDomainSeparator": Hash32(ledger_domain(ledger_id)),
    }
    for getter, value in expected.items():
        try:
            found = _get(chain, address, at, getter, "bytes32")
        except ForeignContractError:
            found = b""
        except RpcError as error:
            if not is_revert(error):
                raise
            found = b""
        if found != value:
            raise ForeignContractError(
                f"{asset.symbol}: the contract at {address} is not this ledger's token: {getter} "
                f"is {'missing' if not found else '0x' + found.hex()}, must be {value}"
            )
    if code != token_code(ledger_id, asset):
        raise ForeignContractError(
            f"{asset.symbol}: the contract at {address} has other code than "
            f"{asset.token_version}: is this the right chain?"
        )


def _read_state(chain: Chain, asset: Asset, address: Address, at: Block) -> Token:
    """Return what the contract says of itself."""

    def get(getter: str, type_: str) -> Any:  # noqa: ANN401 (what the ABI type decodes to)
        return _get(chain, address, at, getter, type_)

    deferring = can_defer(asset) and get("deferring", "bool")
    return Token(
        asset=asset,
        address=address,
        history=Hash32(get("history", "bytes32")),
        head=Hash32(get("head", "bytes32")),
        last_seq=get("lastSeq", "uint64"),
        batches=get("batchCount", "uint64"),
        total_supply=0 if deferring else get("totalSupply", "uint256"),
        operator=Address.parse(get("operator", "address")),
        live=get("live", "bool"),
        deferring=deferring,
    )


def _get(chain: Chain, address: Address, at: Block, getter: str, type_: str) -> Any:  # noqa: ANN401 (what the ABI type decodes to)
    """Return what a getter without arguments returns."""
    return decode_result([type_], chain.call(address, encode_call(f"{getter}()"), at=at))[0]


def read_balances(
    chain: Chain, token: Address, addresses: Sequence[Address], at: Block
) -> Iterator[int]:
    """Yield balanceOf each address, thousands a call: the token's own code answers each."""
    for start in range(0, len(addresses), BALANCES_A_CALL):
        chunk = addresses[start : start + BALANCES_A_CALL]
        data = b"".join(map(address_word, (token, *chunk)))
        found = chain.call(_READER, data, at=at, code=_READ_BALANCES)
        if len(found) != Hash32.size * len(chunk):
            raise ChainError(f"{chain.name} did not read {len(chunk)} balances: try another node")
        words = range(0, len(found), Hash32.size)
        yield from (int.from_bytes(found[word : word + Hash32.size], "big") for word in words)


# --- logs ---


def read_batches(chain: Chain, token: Token, at: Block) -> list[BatchReplayed]:
    """Return every batch that the contract says it replayed, in order, up to block `at`.

    Raises:
        ChainError: the node's logs are not as many as the contract counts: never trust them then.
        ContradictionError: the node returned a log that was not asked for, or out of order.
    """
    first = chain.has_code_since(token.address, at) if token.batches else at.number
    found: list[BatchReplayed] = []
    if token.batches:
        for start, end in _spans(first, at.number):
            logs = checked_logs(chain, token.address, start, end, BATCH_REPLAYED)
            found += map(BatchReplayed.parse, logs)
    if [batch.number for batch in found] != list(range(1, token.batches + 1)):
        raise ChainError(
            f"{token.asset.symbol}: {chain.name} returned {len(found)} BatchReplayed logs, the "
            f"contract counts {token.batches}: use a node that has all logs"
        )
    seq, head = (found[-1].last_seq, found[-1].new_head) if found else (0, token.head)
    if (seq, head) != (token.last_seq, token.head):
        raise ContradictionError(
            f"{token.asset.symbol}: {chain.name} returned batches up to entry {seq} with the head "
            f"{head}, and the contract is at entry {token.last_seq} with the head {token.head}"
        )
    return found


@dataclass(frozen=True, slots=True)
class ReplayedBatch:
    """A batch as the chain has it: the movements of its logs, and the event that ends it."""

    event: BatchReplayed
    records: tuple[Record, ...]


def read_replayed(
    chain: Chain, token: Token, batches: Sequence[BatchReplayed], at: Block
) -> Iterator[ReplayedBatch | Log]:
    """Yield each batch with its movements, and what is in no batch, all in order.

    That is each other `Transfer` up to the last batch, and every log after it.

    Raises:
        ChainError: a batch has fewer logs than entries: the node does not have them all.
        ContradictionError: a log is not where it must be, or not as the node said before.
    """
    waiting: list[tuple[Record, Log]] = []
    found = 0
    for log in _all_logs(chain, token, batches, at):
        if log.topics[:1] == (BATCH_REPLAYED,):
            event = BatchReplayed.parse(log)
            if found < len(batches) and event != batches[found]:
                raise ContradictionError(
                    f"{token.asset.symbol}: {chain.name} returned two different BatchReplayed "
                    f"logs of batch {found + 1}"
                )
            if len(waiting) < event.size:
                raise ChainError(
                    f"{token.asset.symbol}: {chain.name} returned {len(waiting)} of the "
                    f"{event.size} logs of batch {event.number}: use a node that has all logs"
                )
            apart = len(waiting) - event.size
            yield from (other for _, other in waiting[:apart])
            _check_places(chain, token, event, [other.place for _, other in waiting[apart:]])
            yield ReplayedBatch(event, tuple(record for record, _ in waiting[apart:]))
            waiting = []
            found += 1
        elif found == len(batches):
            yield log
        elif (record := transfer_record(log)) is not None:
            waiting.append((record, log))
    if found != len(batches):
        raise ReorganisedError(f"{token.asset.symbol}: batches moved while they were read: again")


def _check_places(
    chain: Chain, token: Token, event: BatchReplayed, places: Sequence[Place]
) -> None:
    """Raise ContradictionError unless a batch's logs stand right before its event, in one go.

    One transaction is one batch, and emits nothing else in between.
    """
    first = event.place.log_index - len(places)
    for index, place in enumerate(places, first):
        if place != replace(event.place, log_index=index):
            raise ContradictionError(
                f"{token.asset.symbol}: {chain.name} returned a log of batch {event.number} as log "
                f"{place.log_index} of transaction {place.transaction_hash} in block "
                f"{place.block_number}, where the batch is not"
            )


def _all_logs(
    chain: Chain, token: Token, batches: Sequence[BatchReplayed], at: Block
) -> Iterator[Log]:
    """Yield every log of the token, in queries of at most about `LOGS_A_QUERY` logs."""
    ends = [at.number]
    pending = 0
    for batch in reversed(batches):
        pending += batch.size
        if pending > LOGS_A_QUERY and batch.place.block_number < ends[-1]:
            ends.append(batch.place.block_number)
            pending = batch.size
    first = batches[0].place.block_number if batches else at.number + 1
    for start, end in pairwise([first - 1, *reversed(ends)]):
        for low, high in _spans(start + 1, end):
            yield from checked_logs(chain, token.address, low, high)


def checked_logs(  # noqa: PLR0917 (the range's ends stand together)
    chain: Chain,
    address: Address,
    first: int,
    last: int,
    topic: Hash32 | None = None,
    second: Hash32 | None = None,
) -> Iterator[Log]:
    """Yield the logs of `address` in blocks `first` to `last`, with those topics if given.

    Raises:
        ContradictionError: the node returned a log that was not asked for, out of order or twice.
    """
    before = (first, -1)
    wanted = tuple(one for one in (topic, second) if one is not None)
    for log in chain.logs(address, topic, first, last, second=second):
        place = (log.place.block_number, log.place.log_index)
        what = f"{chain.name} returned log {place[1]} of block {place[0]}"
        if log.address != address or log.topics[: len(wanted)] != wanted:
            raise ContradictionError(f"{what}, which was not asked for (it is of {log.address})")
        if not first <= place[0] <= last:
            raise ContradictionError(f"{what}, asked for were blocks {first} to {last}")
        if place <= before:
            raise ContradictionError(f"{what} after log {before[1]} of block {before[0]}")
        before = place
        yield log


def _spans(first: int, last: int) -> Iterable[tuple[int, int]]:
    """Yield the blocks `first` to `last` in spans that a provider answers."""
    for start in range(first, last + 1, BLOCKS_A_QUERY):
        yield start, min(start + BLOCKS_A_QUERY - 1, last)
