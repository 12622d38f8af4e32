"""From the ledger to files and EVM chains, and back: export, import, replay, verify.

`deploy`, `replay` and `verify` take a ledger and a `Chain`; `export` and `import_ledger` need none.
"""

from __future__ import annotations

from bridge.authorisations import (
    ClaimAuthorisation,
    DeployAuthorisation,
    is_signed_by_key,
    parse_authorisation,
    read_authorisation,
    with_signature,
    write_authorisation,
)
from bridge.balance_files import BalanceTable, parse_balances
from bridge.batches import Limits
from bridge.bound import Bridge
from bridge.chain import Chain
from bridge.chain_state import StateDifference, StateImport, import_chain_state
from bridge.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bridge.claims import (
    ClaimReport,
    check_claim,
    next_nonce,
    prepare_claim,
    send_claim,
    sign_authorisation,
)
from bridge.compare import Difference, Mismatch, MismatchKind
from bridge.compatibility import (
    CompatibilityReport,
    Fact,
    ledger_chain_compatibility_report,
)
from bridge.deploy import Deployment, DeployReport, deploy
from bridge.dry_run import AssetPreview, Preview, preview
from bridge.errors import (
    AuthorisationError,
    BridgeError,
    ChainError,
    ContradictionError,
    CustodyError,
    ExportFileError,
    FailedTransactionError,
    FeeCapError,
    FeeTooLowError,
    ForeignContractError,
    ForeignHistoryError,
    FundsError,
    GasTooLowError,
    KeyFileError,
    NoAnswerError,
    NoContractError,
    NonceUsedError,
    NotFinalizableError,
    Obstacle,
    ObstacleKind,
    OperatorError,
    OutboxFileError,
    ProofError,
    ReorganisedError,
    RevertedError,
    RpcError,
    SignedOtherwiseError,
    SignerError,
    StaleBlockError,
    TargetExistsError,
    TransactionError,
    UnderpricedError,
    UnsupportedChainError,
    WrongChainError,
)
from bridge.export import ExportReport, export, write_secrets
from bridge.families import Family, Fate, Mapped
from bridge.fees import FeePolicy
from bridge.first_spec import ChainBatch, account_address, export_ledger_for_chain
from bridge.flight import Landed
from bridge.imports import import_ledger, read_secrets
from bridge.keys import SignedTransaction, Signer, TransactionSigner
from bridge.links import check_contract_link
from bridge.live import Finalization, FinalizeReport, finalize, plan_finalize
from bridge.live_accounts import (
    AccountReport,
    check_account,
    deploy_account,
    execute,
    message_digest,
    prepare_account,
    read_owner,
)
from bridge.live_obstacles import Checks
from bridge.live_operators import (
    OperatorState,
    accept_operator,
    read_operator,
    transfer_operator,
)
from bridge.locate import Located, first_difference, whereabouts
from bridge.manifest import Manifest, read_manifest
from bridge.outbox import Attempt, Outbox, Store, Subject
from bridge.outbox_file import OutboxFile
from bridge.patience import Patience
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
from bridge.sending import Sender
from bridge.status import AssetStatus, ChainStatus, read_status
from bridge.tracking import Confirmed, Heads
from bridge.verify import AssetVerified, VerifyReport, verify

__all__ = [
    "AccountReport",
    "Anchor",
    "AssetPlan",
    "AssetPreview",
    "AssetReplay",
    "AssetStatus",
    "AssetVerified",
    "Attempt",
    "AuthorisationError",
    "BalanceLeaf",
    "BalanceProof",
    "BalanceTable",
    "BalanceTree",
    "Bridge",
    "BridgeError",
    "Chain",
    "ChainBatch",
    "ChainError",
    "ChainStatus",
    "Checkpoint",
    "Checks",
    "ClaimAuthorisation",
    "ClaimReport",
    "CompatibilityReport",
    "Confirmed",
    "ConsistencyProof",
    "ContradictionError",
    "CustodyError",
    "DeployAuthorisation",
    "DeployReport",
    "Deployment",
    "Difference",
    "EntryProof",
    "Evidence",
    "ExportFileError",
    "ExportReport",
    "Fact",
    "FailedTransactionError",
    "Family",
    "Fate",
    "FeeCapError",
    "FeePolicy",
    "FeeTooLowError",
    "Finalization",
    "FinalizeReport",
    "Forecast",
    "ForeignContractError",
    "ForeignHistoryError",
    "FundsError",
    "GasRules",
    "GasTooLowError",
    "Heads",
    "KeyFileError",
    "Landed",
    "Limits",
    "Located",
    "Manifest",
    "Mapped",
    "Mismatch",
    "MismatchKind",
    "NoAnswerError",
    "NoContractError",
    "NonceUsedError",
    "NotFinalizableError",
    "Obstacle",
    "ObstacleKind",
    "OnChain",
    "Opening",
    "OperatorError",
    "OperatorState",
    "Outbox",
    "OutboxFile",
    "OutboxFileError",
    "Patience",
    "Plan",
    "PlanTotal",
    "PlannedRun",
    "Preview",
    "Progress",
    "Proof",
    "ProofError",
    "ProofKind",
    "Proved",
    "RemoteSigner",
    "ReorganisedError",
    "ReplayReport",
    "ReportProgress",
    "RevertedError",
    "RpcError",
    "SealSignature",
    "Sender",
    "SignedOtherwiseError",
    "SignedTransaction",
    "Signer",
    "SignerError",
    "StaleBlockError",
    "StateDifference",
    "StateImport",
    "StatedSeal",
    "Store",
    "Subject",
    "TargetExistsError",
    "TransactionError",
    "TransactionSigner",
    "UnderpricedError",
    "UnsupportedChainError",
    "VerifyReport",
    "WrongChainError",
    "accept_operator",
    "account_address",
    "check_account",
    "check_claim",
    "check_contract_link",
    "check_on_chain",
    "check_proof",
    "deploy",
    "deploy_account",
    "dump_proof",
    "execute",
    "export",
    "export_ledger_for_chain",
    "finalize",
    "first_difference",
    "import_chain_state",
    "import_ledger",
    "is_signed_by_key",
    "ledger_chain_compatibility_report",
    "message_digest",
    "next_nonce",
    "parse_authorisation",
    "parse_balances",
    "parse_proof",
    "plan",
    "plan_finalize",
    "prepare_account",
    "prepare_claim",
    "preview",
    "prove_consistency",
    "prove_entry",
    "read_authorisation",
    "read_checkpoint",
    "read_manifest",
    "read_operator",
    "read_owner",
    "read_proof",
    "read_secrets",
    "read_status",
    "replay",
    "send_claim",
    "sign_authorisation",
    "transfer_operator",
    "verify",
    "whereabouts",
    "with_signature",
    "write_authorisation",
    "write_checkpoint",
    "write_secrets",
]
