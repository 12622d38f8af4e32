"""What the other side did wrong: a file of an export, or a chain and the node that serves it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence


class BridgeError(LedgerError):
    """Base of every error that the bridge raises on purpose; its text says what to do."""


class ExportFileError(BridgeError):
    """A file (of an export, a checkpoint, a proof) is missing, or not what this version writes."""

    def __init__(
        self, file: str, message: str, *, line: int | None = None, field: str | None = None
    ) -> None:
        """Refuse `file` (its name in the export), at `line` (from 1) and `field` where known."""
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}: {message}" if field is None else f"{place}: {field}: {message}")
        self.file = file
        self.line = line
        self.field = field


class TargetExistsError(BridgeError):
    """The file or folder to write is there already; nothing is ever overwritten."""


class KeyFileError(BridgeError):
    """A keystore file cannot be read, or its password is wrong."""


class OutboxFileError(BridgeError):
    """What is signed cannot be stored there, so nothing is sent: name another file."""


class SignerError(BridgeError):
    """A remote signer does not answer, or not as it must, or refuses; nothing was broadcast."""


class SignedOtherwiseError(SignerError):
    """A remote signer signed something else than it was asked to, or with another key."""

    def __init__(self, name: str, field: str, found: str, asked: str) -> None:
        """Say which `field` differs: `found` is what it signed."""
        super().__init__(
            f"{name}: the remote signer signed something else: {field} is {found}, asked was "
            f"{asked}: nothing was sent; do not use it before you know why"
        )
        self.field = field


class UnsupportedChainError(BridgeError):
    """A ledger cannot be put on that kind of chain without losing something; the text says what."""


class CustodyError(BridgeError):
    """On this chain others would have a key that decides: a registrar's or an operator's."""


class ChainError(BridgeError):
    """The node or the chain behind it did not do what it must; nothing is known to be wrong here.

    What the chain was asked to do may have happened: run the command again, it finds out.
    """


class NoAnswerError(ChainError):
    """Nothing answers at the URL, or not in time, or not in JSON-RPC."""


class RpcError(ChainError):
    """The node answered with an error."""

    def __init__(self, method: str, code: int, message: str, revert: bytes = b"") -> None:
        """Keep the node's `code` and `message`; `revert` is what a contract returned."""
        super().__init__(f"{method}: the node answered with error {code}: {message}")
        self.method = method
        self.code = code
        self.message = message
        self.revert = revert


class WrongChainError(ChainError):
    """The node serves another chain than the one expected."""


class ReorganisedError(ChainError):
    """A block that was being read is not part of the chain any more: run again."""


class StaleBlockError(ChainError):
    """The node's head is older than a block in which this ledger's own transactions were."""


class ContradictionError(ChainError):
    """What a node answered contradicts a proof, or another of its answers: it is not believed."""


class NoContractError(ChainError):
    """There is no code where the contract must be: run `evm-ledger chain deploy`."""


class ForeignContractError(ChainError):
    """A contract is there, but of another ledger, of another asset, or with other code."""


class OperatorError(ChainError):
    """The key may not replay: the contract has another operator, or is live already."""


class ForeignHistoryError(ChainError):
    """The contract's history is not one of this ledger's: run `evm-ledger chain verify`."""


class TransactionError(ChainError):
    """A transaction was mined and failed, or was not mined in time."""


class FailedTransactionError(TransactionError):
    """A transaction was mined and failed: it changed nothing, and its gas is spent."""


class NonceUsedError(RpcError):
    """The key has sent a transaction with this nonce, this one or another."""


class UnderpricedError(RpcError):
    """Another transaction with this nonce waits, and this one does not offer enough more."""


class FeeTooLowError(RpcError):
    """The transaction offers less than a block asks for now."""


class GasTooLowError(RpcError):
    """The transaction has less gas than it takes to begin with: nothing but another one helps."""


class FeeCapError(ChainError):
    """Gas costs more than it may: raise the cap (`--max-fee`), or run again when it is cheaper."""


class FundsError(ChainError):
    """The sender cannot pay for the gas: send it some of the chain's own coin."""


class ProofError(BridgeError):
    """What a proof states does not follow from what it holds, or is not what was expected."""

    def __init__(self, what: str, computed: str, stated: str) -> None:
        """Say that `what` is `stated`, and must be `computed`."""
        super().__init__(f"{what} is {stated}, must be {computed}")
        self.what = what
        self.computed = computed
        self.stated = stated


class RevertedError(ChainError):
    """A contract would not do what it was asked for; nothing was sent."""

    def __init__(self, message: str, name: str) -> None:
        """Say what was asked for and why not; `name` is the contract's own error, "" if none."""
        super().__init__(message)
        self.name = name


class ObstacleKind(StrEnum):
    """Why a token must not go live yet."""

    NOT_OPERATOR = "not-operator"
    """Another key is the token's operator."""
    OPERATOR_PENDING = "operator-pending"
    """The operator's part was offered to somebody, and neither taken nor withdrawn."""
    OWN_REGISTRAR = "own-registrar"
    """Whoever reads the database could claim derived balances."""
    HOLD_PENDING = "hold-pending"
    """An amount is set aside, which no token knows."""
    ACCOUNT_FROZEN = "account-frozen"
    """An account may not pay; its tokens could move all the same."""
    NOTHING_THERE = "nothing-there"
    """The journal is empty: the supply would be nothing, for ever."""
    NOT_SEALED = "not-sealed"
    """Entries are in no batch."""
    NOT_REPLAYED = "not-replayed"
    """Batches are not on the chain."""
    MISMATCH = "mismatch"
    """Ledger and chain do not agree."""
    NOT_FINAL = "not-final"
    """Blocks with batches may still be replaced."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a token must not go live yet, and what to do about it."""

    kind: ObstacleKind
    message: str

    def __str__(self) -> str:
        return self.message


class NotFinalizableError(BridgeError):
    """A token must not go live yet, for every one of the reasons in `obstacles`."""

    def __init__(self, symbol: str, obstacles: Sequence[Obstacle]) -> None:
        """Refuse to finalize the token of `symbol`."""
        reasons = "; ".join(map(str, obstacles))
        super().__init__(f"{symbol} cannot be finalized: {reasons}")
        self.symbol = symbol
        self.obstacles = tuple(obstacles)


class AuthorisationError(BridgeError):
    """What a registrar authorised cannot be done, or was not authorised by it."""

    def __init__(self, field: str, message: str) -> None:
        """Refuse what `field` of the authorisation says."""
        super().__init__(f"{field}: {message}")
        self.field = field
