"""What the other side did wrong: a file of an export, or a chain and the node that serves it."""

from __future__ import annotations

from ledger.errors import LedgerError


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
        self.code = code
        self.message = message
        self.revert = revert


class WrongChainError(ChainError):
    """The node serves another chain than the one expected."""


class ReorganisedError(ChainError):
    """A block that was being read is not part of the chain any more: run again."""


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


class ProofError(BridgeError):
    """What a proof states does not follow from what it holds, or is not what was expected."""

    def __init__(self, what: str, computed: str, stated: str) -> None:
        """Say that `what` is `stated`, and must be `computed`."""
        super().__init__(f"{what} is {stated}, must be {computed}")
        self.what = what
        self.computed = computed
        self.stated = stated
