"""From the ledger to files and EVM chains, and back: export, import, replay, verify.

`deploy`, `replay` and `verify` take a ledger and a `Chain`; `export` and `import_ledger` need none.
"""

from __future__ import annotations

from bridge.chain import Chain
from bridge.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bridge.compare import Mismatch, MismatchKind
from bridge.deploy import Deployment, DeployReport, deploy
from bridge.errors import (
    BridgeError,
    ChainError,
    CustodyError,
    ExportFileError,
    ForeignContractError,
    ForeignHistoryError,
    KeyFileError,
    NoAnswerError,
    NoContractError,
    OperatorError,
    ReorganisedError,
    RpcError,
    TargetExistsError,
    TransactionError,
    WrongChainError,
)
from bridge.export import ExportReport, export, write_secrets
from bridge.imports import import_ledger, read_secrets
from bridge.keys import Signer
from bridge.links import check_contract_link
from bridge.manifest import Manifest, read_manifest
from bridge.progress import Progress, ReportProgress
from bridge.replay import AssetReplay, ReplayReport, replay
from bridge.verify import AssetVerified, VerifyReport, verify

__all__ = [
    "AssetReplay",
    "AssetVerified",
    "BridgeError",
    "Chain",
    "ChainError",
    "Checkpoint",
    "CustodyError",
    "DeployReport",
    "Deployment",
    "ExportFileError",
    "ExportReport",
    "ForeignContractError",
    "ForeignHistoryError",
    "KeyFileError",
    "Manifest",
    "Mismatch",
    "MismatchKind",
    "NoAnswerError",
    "NoContractError",
    "OperatorError",
    "Progress",
    "ReorganisedError",
    "ReplayReport",
    "ReportProgress",
    "RpcError",
    "Signer",
    "TargetExistsError",
    "TransactionError",
    "VerifyReport",
    "WrongChainError",
    "check_contract_link",
    "deploy",
    "export",
    "import_ledger",
    "read_checkpoint",
    "read_manifest",
    "read_secrets",
    "replay",
    "verify",
    "write_checkpoint",
    "write_secrets",
]
