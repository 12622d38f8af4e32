"""Every public name, used as an application would: mypy reads this file, nothing runs it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import bridge
import ledger as core
from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection


def open_and_close() -> None:
    made = Ledger.create(
        "sqlite:///ledger.db",
        ledger_id=core.Hash32(bytes(32)),
        pepper=core.Hash32(bytes(32)),
        registrar=core.Address(bytes(20)),
        clock=lambda: 1,
        lock_timeout=1.0,
    )
    assert_type(made.identity, core.Identity)
    assert_type(made.identity.pepper, core.Hash32 | None)
    made.close()
    upgraded = core.upgrade_schema("sqlite:///ledger.db", backup=False, lock_timeout=1.0)
    assert_type(upgraded, core.SchemaUpgrade)
    assert_type(upgraded.is_changed, bool)
    assert_type((upgraded.before, upgraded.after), tuple[str, str])
    assert_type(upgraded.backup, Path | None)
    with Ledger.open("postgresql://books@localhost/books") as opened:
        assert_type(opened, Ledger)


def post_in_a_transaction(ledger: Ledger, connection: Connection) -> None:
    joined = ledger.on(connection, "SCI", "GEM", accounts=True)
    assert_type(joined, core.Joined)
    assert_type(joined.transfer("alice", "bob", 5, asset="SCI"), core.Entry)
    assert_type(joined.get_balance("alice", "SCI"), int)
    assert_type(joined.post_many([]), list[core.Receipt | core.RefusedError])
    assert_type(
        ledger.once("key", "seal", lambda it: str(ledger.seal(connection=it))), tuple[str, bool]
    )


def hold_and_undo(ledger: Ledger, moment: datetime) -> None:
    hold = ledger.hold("alice", 5, "bob", expires_at=moment, reason="escrow", dry_run=True)
    assert_type(hold, core.Hold)
    assert_type(hold.state, core.HoldState)
    assert_type(ledger.post_hold(hold.id, 3, keep_rest=True), core.Entry)
    assert_type(ledger.void_hold(hold.id), core.Hold)
    assert_type(ledger.reverse(hold.id, whole_group=True), tuple[core.Entry, ...])
    assert_type(ledger.freeze_account("alice").status, core.Status)
    assert_type(ledger.close_account("alice"), core.Account)
    assert_type(ledger.reopen_account("alice"), core.Account)
    limits = ledger.set_limits("alice", max_debit=5, max_balance=None)
    assert_type(limits, core.Limits)
    ledger.post_many(
        [
            core.PlaceHold("alice", 5),
            core.PostHold(hold.id),
            core.VoidHold(hold.id),
            core.Reverse(hold.id),
            core.SetStatus("alice", core.Status.FROZEN),
            core.SetLimits("alice", max_debit=1),
        ],
        dry_run=True,
    )


def amounts() -> None:
    assert_type(core.MAX_AMOUNT, int)
    assert_type(core.parse_amount("12.5", 18), int)
    assert_type(core.format_amount(1, 18), str)
    assert_type(core.Hash32.parse("0x"), core.Hash32)
    assert_type(core.Address.parse("0x"), core.Address)


def book(ledger: Ledger) -> None:
    asset = ledger.create_asset("SCI", "SCI token", 18, endowment=0, operator=None)
    assert_type(asset, core.Asset)
    assert_type(asset.parse("12.5"), int)
    assert_type(asset.format(1), str)
    account = ledger.create_account("alice", 0, asset="SCI", idempotency_key="k")
    assert_type(account, core.Account)
    assert_type(account.address, core.Address)
    entry = ledger.transfer("alice", "bob", 1, reason="why", memo="more")
    assert_type(entry, core.Entry)
    assert_type(entry.time, datetime)
    assert_type(entry.kind == core.Kind.CHAIN, bool)
    assert_type(ledger.mint("alice", 1), core.Entry)
    assert_type(ledger.burn("alice", 1), core.Entry)


def prove(ledger_id: core.Hash32, address: core.Address, node: bridge.Chain) -> list[core.Link]:
    assert_type(core.link_message(ledger_id, "alice", address), str)
    asked = core.link_typed_data(ledger_id, "alice", address, node.chain_id)
    assert_type(sorted(asked), list[str])
    link = core.Link(core.LinkScheme.EIP712, 0, bytes(65))
    assert_type((link.scheme, link.signature), tuple[core.LinkScheme, bytes | None])
    by_contract = bridge.check_contract_link(node, ledger_id, "alice", address, b"")
    return [link, by_contract, core.Link(core.LinkScheme.OPERATOR)]


def book_many(ledger: Ledger) -> None:
    group = core.Group((core.Movement(core.ISSUER, "alice", 1, "SCI"),), "key")
    results = ledger.post_many([core.OpenAccount("alice"), group])
    assert_type(results, list[core.Receipt | core.RefusedError])
    for result in results:
        if isinstance(result, core.RefusedError):
            assert_type(result.rule, core.Rule)
        else:
            assert_type(result.entries, tuple[core.Entry, ...])


def read(ledger: Ledger) -> None:
    assert_type(ledger.get_balance("alice"), int)
    assert_type(ledger.balance("alice"), core.Balance)
    assert_type(ledger.get_total_supply(), int)
    assert_type(ledger.get_statement("alice", datetime.now(UTC)), list[core.Entry])
    statement: Iterator[core.Entry] = ledger.statement("alice")
    entries: Iterator[core.Entry] = ledger.entries("SCI", 1, 2)
    accounts: Iterator[core.Account] = ledger.accounts()
    assert_type(next(statement), core.Entry)
    assert_type(next(entries), core.Entry)
    assert_type(next(accounts), core.Account)
    assert_type(ledger.assets(), list[core.Asset])
    assert_type(ledger.head("SCI"), core.JournalHead)


def page(ledger: Ledger) -> None:
    found = ledger.statement_page("alice", filters=core.Filters(reason_prefix="earn:"), limit=10)
    assert_type(found, core.StatementPage)
    assert_type(found.entries, tuple[core.Entry, ...])
    assert_type(found.cursor, str | None)
    assert_type(ledger.balance_at("alice", 3), int)


def read_changes(ledger: Ledger, after: str) -> str:
    page = ledger.changes_page(after, limit=10)
    assert_type(page, core.ChangesPage)
    assert_type((page.cursor, page.more), tuple[str, bool])
    changes: Iterator[core.Change] = ledger.changes(after)
    for change in changes:
        assert_type(change.type, core.ChangeType)
        assert_type((change.asset, change.account_id), tuple[str, str])
        assert_type((change.entry, change.hold), tuple[core.Entry | None, core.Hash32 | None])
        assert_type(change.details["amount"], int | str | None)
        assert_type((change.number, change.time), tuple[int, datetime])
    return next(changes).cursor


def measure(ledger: Ledger) -> str:
    assert_type(ledger.supply("SCI"), core.Supply)
    spread = ledger.distribution("SCI", top=3)
    assert_type(spread, core.Distribution)
    assert_type(spread.gini, Fraction | None)
    assert_type(spread.top, tuple[core.Balance, ...])
    velocity = ledger.velocity(window=timedelta(days=7))
    assert_type(velocity, core.Velocity)
    assert_type(velocity.ratio, Fraction | None)
    return core.format_ratio(spread.share(spread.top[0]), 4)


def look_up(ledger: Ledger, id_: core.Hash32) -> None:
    assert_type(ledger.entry(id_), core.Entry)
    assert_type(ledger.group(id_), tuple[core.Entry, ...])
    assert_type(ledger.batch(1), core.SealedBatch | None)
    assert_type(ledger.batches(first=2), list[core.SealedBatch])
    assert_type(ledger.reversal(id_), core.Entry | None)
    assert_type(ledger.referenced("order", "7", limit=5), list[core.Entry])
    assert_type(ledger.find_hold(id_), core.Hold)
    holds: Iterator[core.Hold] = ledger.holds("alice", state=core.HoldState.PENDING, after=3)
    assert_type(next(holds), core.Hold)
    accounts: Iterator[core.Account] = ledger.accounts(prefix="a")
    assert_type(next(accounts), core.Account)


def look_back(ledger: Ledger) -> core.SealedBatch | None:
    past = next(ledger.past_balances(7, "SCI"))
    assert_type(past, core.PastBalance)
    assert_type((past.account_id, past.address, past.balance), tuple[str, core.Address, int])
    ids: Iterator[bytes] = ledger.entry_ids("SCI", 1, last=7)
    assert_type(next(ids), bytes)
    assert_type(ledger.batch_until(ledger.last_seal(), "SCI"), core.SealedBatch | None)
    return ledger.batch_with(7, "SCI")


def seal_and_audit(ledger: Ledger) -> None:
    sealed = ledger.seal()
    assert_type(sealed, core.Sealed | None)
    if sealed is not None:
        assert_type(sealed.batches, tuple[core.SealedBatch, ...])
    report = ledger.audit({"SCI": (1, bytes(32))})
    assert_type(report, core.AuditReport)
    assert_type(report.finding, core.Finding | None)


def failures(ledger: Ledger, contents: core.Restore) -> str:
    try:
        Ledger.restore("sqlite:///ledger.db", contents)
        ledger.transfer("alice", "bob", 1)
    except core.FieldError as error:
        return assert_type(error.field, str)
    except core.NotFoundError as error:
        return str(error.rule)
    except (core.BusyError, core.ConflictError, core.DatabaseFileError, core.RestoreError):
        return "again"
    except (core.CorruptError, core.LedgerError):
        return "stop"
    return "done"


def files(ledger: Ledger, signer: bridge.Signer) -> None:
    folder = Path("export")
    assert_type(bridge.export(ledger, folder, progress=tell), bridge.ExportReport)
    bridge.write_secrets(ledger, Path("secrets"))
    manifest = bridge.read_manifest(folder)
    assert_type(manifest, bridge.Manifest)
    pepper = bridge.read_secrets(Path("secrets"), manifest.ledger_id)
    assert_type(pepper, core.Hash32)
    copy = bridge.import_ledger(folder, "sqlite:///copy.db", pepper=pepper, progress=tell)
    assert_type(copy, Ledger)
    assert_type(bridge.write_checkpoint(ledger, Path("seal.json"), signer), core.Sealed)
    found = bridge.read_checkpoint(Path("seal.json"), manifest.ledger_id, signer.address)
    assert_type(found, bridge.Checkpoint)


def proofs(ledger: Ledger, node: bridge.Chain, id_: core.Hash32, who: core.Address) -> str:
    signature = bridge.SealSignature(who, bytes(65))
    entry = bridge.prove_entry(ledger, id_, seal=2, signature=signature, open_accounts=True)
    assert_type(entry, bridge.EntryProof)
    assert_type(entry.from_, bridge.Opening | None)
    assert_type(entry.evidence, bridge.Evidence)
    assert_type(entry.evidence.seals, tuple[bridge.StatedSeal, ...])
    tree = bridge.BalanceTree(ledger, "SCI", seal=2, chain_id=1, token=who)
    assert_type(tree.root, core.Hash32)
    assert_type(tree.leaves, tuple[bridge.BalanceLeaf, ...])
    table = bridge.parse_balances(tree.dump())
    assert_type(table, bridge.BalanceTable)
    assert_type(table.total, int)
    balance = tree.prove("alice", open_account=True)
    assert_type(balance, bridge.BalanceProof)
    growth = bridge.prove_consistency(ledger, 1, 2, "SCI")
    assert_type(growth, bridge.ConsistencyProof)
    text = bridge.dump_proof(growth)
    parsed: bridge.Proof = bridge.parse_proof(text)
    assert parsed == bridge.read_proof(Path("growth.json"))
    proved = bridge.check_proof(parsed)
    assert_type(proved, bridge.Proved)
    assert_type(proved.anchors, tuple[bridge.Anchor, ...])
    try:
        proved.expect(seals=[id_], roots=[tree.root], signer=who)
        found = bridge.check_on_chain(node, proved, who)
        assert_type(found, bridge.OnChain)
    except bridge.ProofError as error:
        return error.what
    return "entry" if proved.kind is bridge.ProofKind.ENTRY else str(found.transaction)


def tell(progress: bridge.Progress) -> None:
    assert_type(progress.done, int)


REPORT: bridge.ReportProgress = tell


def planned(ledger: Ledger) -> int:
    made = bridge.plan(ledger, limits=bridge.Limits(gas=10_000_000), progress=REPORT)
    assert_type(made, bridge.Plan)
    assert_type(made.assets, tuple[bridge.AssetPlan, ...])
    for forecast in (made.today, made.planned):
        assert_type(forecast, bridge.Forecast)
        assert_type(forecast.rules, bridge.GasRules)
        assert_type(forecast.runs, tuple[bridge.PlannedRun, ...])
        assert_type(forecast.alone, bridge.PlanTotal)
    return made.today.replay.gas


def sent(ledger: Ledger, node: bridge.Chain, signer: bridge.Signer) -> None:
    fees = bridge.FeePolicy(max_fee=10**11, priority_fee=10**9)
    patience = bridge.Patience(replace_after=60.0, give_up_after=600.0)
    seen = bridge.preview(ledger, node, signer, limits=bridge.Limits(), fees=fees)
    assert_type(seen, bridge.Preview)
    assert_type(seen.assets, tuple[bridge.AssetPreview, ...])
    wanted = bridge.Confirmed(1, "finalized")
    bridge.replay(ledger, node, signer, fees=fees, patience=patience, confirmed=wanted, say=print)
    status = bridge.read_status(ledger, node)
    assert_type(status, bridge.ChainStatus)
    assert_type(status.heads, bridge.Heads)
    assert_type(status.assets, tuple[bridge.AssetStatus, ...])
    assert_type(status.waiting, tuple[bridge.Attempt, ...])
    assert_type(bridge.Outbox(ledger, node.chain_id).attempts(), list[bridge.Attempt])
    with bridge.Sender(ledger, node, signer, fees=fees, patience=patience) as sender:
        assert_type(sender.settle(), list[bridge.Landed])
        try:
            sender.send("note", signer.address, subject=bridge.Subject(asset=1))
        except (bridge.FeeCapError, bridge.FundsError, bridge.FailedTransactionError):
            assert_type(sender.wait_until(wanted), bool)
        except (bridge.NonceUsedError, bridge.UnderpricedError, bridge.FeeTooLowError) as error:
            assert_type(error.code, int)
        except bridge.GasTooLowError as error:
            assert_type(error.method, str)


def chain(ledger: Ledger) -> None:
    signer = bridge.Signer.from_keystore(Path("key.json"), "password")
    assert_type(signer, bridge.Signer)
    remote = bridge.RemoteSigner.connect("http://127.0.0.1:9000", signer.address, timeout=5.0)
    assert_type(remote, bridge.RemoteSigner)
    with bridge.Chain.connect("http://127.0.0.1:8545", expected_chain_id=1) as node:
        deployed = bridge.deploy(ledger, node, signer, progress=REPORT)
        assert_type(deployed, bridge.DeployReport)
        assert_type(deployed.tokens, tuple[bridge.Deployment, ...])
        assert_type(deployed.tokens[0].operator, core.Address | None)
        replayed = bridge.replay(ledger, node, remote)
        assert_type(replayed, bridge.ReplayReport)
        assert_type(replayed.assets, tuple[bridge.AssetReplay, ...])
        sent(ledger, node, signer)
        verified = bridge.verify(ledger, node, 3, block="finalized")
        assert_type(verified, bridge.VerifyReport)
        assert_type(verified.assets, tuple[bridge.AssetVerified, ...])
        assert_type(bridge.first_difference(ledger, node, "SCI"), bridge.Difference | None)
        assert_type(verified.assets[0].difference, bridge.Difference | None)
        assert_type(bridge.whereabouts(ledger, node, "SCI"), bridge.Located)
        for mismatch in verified.mismatches:
            assert_type(mismatch, bridge.Mismatch)
            assert_type(mismatch.kind, bridge.MismatchKind)


def go_live(ledger: Ledger, node: bridge.Chain, key: bridge.TransactionSigner) -> str:
    checks = bridge.Checks(level=1, allow_own_registrar=True, allow_unfinalized=True)
    planned = bridge.plan_finalize(ledger, node, key, "SCI", checks=checks, progress=REPORT)
    assert_type(planned, bridge.Finalization)
    offered = bridge.transfer_operator(ledger, node, key, key.address, "SCI")
    assert_type(offered, bridge.OperatorState)
    assert_type(bridge.accept_operator(ledger, node, key), bridge.OperatorState)
    assert_type(bridge.read_operator(ledger, node).operator, core.Address | None)
    assert_type(ledger.close_asset("SCI", planned.last_seq), None)
    assert_type(ledger.reopen_asset("SCI"), None)
    assert_type(ledger.head("SCI").closed, bool)
    try:
        done = bridge.finalize(ledger, node, key, confirm=print, close=False)
    except bridge.NotFinalizableError as error:
        assert_type(error.obstacles, tuple[bridge.Obstacle, ...])
        assert_type(error.obstacles[0].kind, bridge.ObstacleKind)
        return error.obstacles[0].message
    except bridge.RevertedError as error:
        return error.name
    assert_type(done, bridge.FinalizeReport)
    return str(done.transaction)


def claim(ledger: Ledger, node: bridge.Chain, key: bridge.Signer, file: Path) -> None:
    until = node.block().timestamp + 3600
    made = bridge.prepare_claim(ledger, "alice", key.address, chain_id=10, deadline=until, nonce=0)
    assert_type(made, bridge.ClaimAuthorisation)
    assert_type(bridge.next_nonce(node, made), int)
    assert_type(bridge.check_claim(node, made), int)
    signed = bridge.sign_authorisation(made, key)
    assert_type(bridge.is_signed_by_key(signed), bool)
    bridge.write_authorisation(bridge.with_signature(signed, b"..."), file)
    found = bridge.read_authorisation(file)
    assert_type(found, bridge.ClaimAuthorisation | bridge.DeployAuthorisation)
    bridge.parse_authorisation("claim.json", file.read_bytes())
    if isinstance(found, bridge.ClaimAuthorisation):
        with bridge.OutboxFile.open(Path("outbox.db")) as outbox:
            claimed = bridge.send_claim(outbox, node, key, found, fees=bridge.FeePolicy())
        assert_type(claimed, bridge.ClaimReport)
        assert_type(claimed.was_claimed, bool)
        return
    bridge.check_account(node, found)
    store: bridge.Store = ledger
    report = bridge.deploy_account(store, node, key, found, patience=bridge.Patience())
    assert_type(report, bridge.AccountReport)
    asked = bridge.prepare_account(ledger, "bob", key.address, chain_id=10, deadline=until)
    assert_type(asked, bridge.DeployAuthorisation)
    assert_type(bridge.read_owner(node, report.account), core.Address)
    digest = bridge.message_digest(10, report.account, asked.digest)
    assert_type(digest, core.Hash32)
    bridge.execute(
        store, node, key, report.account, key="1", target=report.owner, data=b"", value=1
    )


def sign(signer: bridge.TransactionSigner) -> bytes:
    signed = signer.sign({"chainId": 1, "nonce": 0, "gas": 21_000, "gasPrice": 1})
    assert_type(signed, bridge.SignedTransaction)
    assert_type((signer.address, signer.is_public), tuple[core.Address, bool])
    return signed.raw


def first_spec(ledger: Ledger, since: datetime) -> None:
    assert_type(bridge.account_address(ledger, "alice"), core.Address)
    for batch in bridge.export_ledger_for_chain(ledger, since, 10):
        assert_type(batch, bridge.ChainBatch)
        assert_type((batch.token, batch.calldata), tuple[core.Address | None, bytes])
    done = bridge.import_chain_state(ledger, {"0x" + "ab" * 20: 5}, 1, dry_run=False, asset="SCI")
    assert_type(done, bridge.StateImport)
    assert_type(done.differences, tuple[bridge.StateDifference, ...])
    bound = bridge.Bridge(ledger)
    assert_type(bound.account_address("alice"), core.Address)
    assert_type(next(bound.export_ledger_for_chain(since, 10)), bridge.ChainBatch)
    assert_type(bound.import_chain_state({}, 1, dry_run=True), bridge.StateImport)
    assert_type(bound.ledger_chain_compatibility_report(), bridge.CompatibilityReport)
    report = bridge.ledger_chain_compatibility_report(ledger, progress=REPORT)
    assert_type(report, bridge.CompatibilityReport)
    assert_type(report.stops, tuple[bridge.Fact, ...])
    row: bridge.Mapped = report.fields[0]
    assert_type(row.on(bridge.Family.SOLANA), tuple[bridge.Fate, str])


WHAT_TO_DO: Mapping[type[bridge.BridgeError], str] = {
    bridge.ExportFileError: "fetch the export again",
    bridge.TargetExistsError: "give a new name",
    bridge.KeyFileError: "look for the key",
    bridge.OutboxFileError: "name another file",
    bridge.SignerError: "start the signer",
    bridge.SignedOtherwiseError: "find out who signs",
    bridge.UnsupportedChainError: "read the report",
    bridge.CustodyError: "give a registrar",
    bridge.NoAnswerError: "start the node",
    bridge.RpcError: "ask the node",
    bridge.WrongChainError: "give another node",
    bridge.ReorganisedError: "run again",
    bridge.StaleBlockError: "ask another node",
    bridge.ContradictionError: "ask another node",
    bridge.NoContractError: "deploy",
    bridge.ForeignContractError: "look who was there",
    bridge.OperatorError: "give the operator's key",
    bridge.ForeignHistoryError: "verify",
    bridge.NotFinalizableError: "see its obstacles",
    bridge.AuthorisationError: "have it signed again",
    bridge.RevertedError: "look at its name",
    bridge.TransactionError: "run again",
    bridge.ChainError: "run again",
}
