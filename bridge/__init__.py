"""From the ledger to files and EVM chains, and back: export, import, replay, verify.

`deploy`, `replay` and `verify` take a ledger and a `Chain`; `export` and `import_ledger` need none.
"""

from __future__ import annotations

from bridge.balance_files import BalanceTable, parse_balances
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
    ProofError,
    ReorganisedError,
    RpcError,
    SignedOtherwiseError,
    SignerError,
    TargetExistsError,
    TransactionError,
    WrongChainError,
)
from bridge.export import ExportReport, export, write_secrets
from bridge.imports import import_ledger, read_secrets
from bridge.keys import SignedTransaction, Signer, TransactionSigner
from bridge.links import check_contract_link
from bridge.manifest import Manifest, read_manifest
from bridge.progress import Progress, ReportProgress
from bridge.proof_anchors import OnChain, check_on_chain
from bridge.proof_checks import Anchor, ProofKind, Proved, check_proof
from bridge.proof_files import dump_proof, parse_proof, read_proof
from bridge.proofs import (
    BalanceLeaf,
    BalanceProof,
    ConsistencyProof,
    EntryProof,
    Evidence,
    Opening,
    Proof,
    SealSignature,
    StatedSeal,
)
from bridge.proving import BalanceTree, prove_consistency, prove_entry
from bridge.remote_signer import RemoteSigner
from bridge.replay import AssetReplay, ReplayReport, replay
from bridge.verify import AssetVerified, VerifyReport, verify

__all__ = [
    "Anchor",
    "AssetReplay",
    "AssetVerified",
    "BalanceLeaf",
    "BalanceProof",
    "BalanceTable",
    "BalanceTree",
    "BridgeError",
    "Chain",
    "ChainError",
    "Checkpoint",
    "ConsistencyProof",
    "CustodyError",
    "DeployReport",
    "Deployment",
    "EntryProof",
    "Evidence",
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
    "OnChain",
    "Opening",
    "OperatorError",
    "Progress",
    "Proof",
    "ProofError",
    "ProofKind",
    "Proved",
    "RemoteSigner",
    "ReorganisedError",
    "ReplayReport",
    "ReportProgress",
    "RpcError",
    "SealSignature",
    "SignedOtherwiseError",
    "SignedTransaction",
    "Signer",
    "SignerError",
    "StatedSeal",
    "TargetExistsError",
    "TransactionError",
    "TransactionSigner",
    "VerifyReport",
    "WrongChainError",
    "check_contract_link",
    "check_on_chain",
    "check_proof",
    "deploy",
    "dump_proof",
    "export",
    "import_ledger",
    "parse_balances",
    "parse_proof",
    "prove_consistency",
    "prove_entry",
    "read_checkpoint",
    "read_manifest",
    "read_proof",
    "read_secrets",
    "replay",
    "verify",
    "write_checkpoint",
    "write_secrets",
]
