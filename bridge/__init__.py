"""From the ledger to files and EVM chains, and back: export, import, replay, verify.

`deploy`, `replay` and `verify` take a ledger and a `Chain`; `export` and `import_ledger` need none.
"""

from __future__ import annotations

from bridge.balance_files import BalanceTable, parse_balances
from bridge.batches import Limits
from bridge.chain import Chain
from bridge.chain_state import StateDifference, StateImport, import_chain_state
from bridge.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bridge.compare import Mismatch, MismatchKind
from bridge.compatibility import (
    CompatibilityReport,
    Fact,
    ledger_chain_compatibility_report,
)
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
    UnsupportedChainError,
    WrongChainError,
)
from bridge.export import ExportReport, export, write_secrets
from bridge.families import Family, Fate, Mapped
from bridge.first_spec import ChainBatch, account_address, export_ledger_for_chain
from bridge.imports import import_ledger, read_secrets
from bridge.keys import SignedTransaction, Signer, TransactionSigner
from bridge.links import check_contract_link
from bridge.manifest import Manifest, read_manifest
from bridge.plan import AssetPlan, Forecast, Plan, PlannedRun, PlanTotal, plan
from bridge.plan_rules import GasRules
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
    "AssetPlan",
    "AssetReplay",
    "AssetVerified",
    "BalanceLeaf",
    "BalanceProof",
    "BalanceTable",
    "BalanceTree",
    "BridgeError",
    "Chain",
    "ChainBatch",
    "ChainError",
    "Checkpoint",
    "CompatibilityReport",
    "ConsistencyProof",
    "CustodyError",
    "DeployReport",
    "Deployment",
    "EntryProof",
    "Evidence",
    "ExportFileError",
    "ExportReport",
    "Fact",
    "Family",
    "Fate",
    "Forecast",
    "ForeignContractError",
    "ForeignHistoryError",
    "GasRules",
    "KeyFileError",
    "Limits",
    "Manifest",
    "Mapped",
    "Mismatch",
    "MismatchKind",
    "NoAnswerError",
    "NoContractError",
    "OnChain",
    "Opening",
    "OperatorError",
    "Plan",
    "PlanTotal",
    "PlannedRun",
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
    "StateDifference",
    "StateImport",
    "StatedSeal",
    "TargetExistsError",
    "TransactionError",
    "TransactionSigner",
    "UnsupportedChainError",
    "VerifyReport",
    "WrongChainError",
    "account_address",
    "check_contract_link",
    "check_on_chain",
    "check_proof",
    "deploy",
    "dump_proof",
    "export",
    "export_ledger_for_chain",
    "import_chain_state",
    "import_ledger",
    "ledger_chain_compatibility_report",
    "parse_balances",
    "parse_proof",
    "plan",
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
