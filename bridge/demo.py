"""The demo: the whole job on real parts, each step explained in a line, every claim checked."""

from __future__ import annotations

import json
import shlex
import shutil
import sqlite3
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import economy, mainnet
from bridge.anvil import local_anvil
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import BridgeError, TargetExistsError
from bridge.export import export
from bridge.keys import Signer
from bridge.replay import replay
from bridge.verify import verify
from ledger import ISSUER, Hash32, Ledger, OpenAccount, RefusedError
from ledger.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledger.requests import Item

SYMBOL = "SCI"
START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z: the demo has a clock of its own, so that it always books the same."""

_STEP = 37_000_000
_RUN = 500


class DemoError(BridgeError):
    """A claim of the demo did not hold."""


@dataclass(frozen=True, slots=True)
class DemoNumbers:
    """What the last line says."""

    entries: int
    accounts: int
    batches: int
    gas_per_entry: int
    mismatches: int
    tamper_found: int

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)}" for name in self.__slots__)


def run_demo(
    *, anvil: str | None, rpc: str | None, folder: Path | None, say: Callable[[str], None]
) -> DemoNumbers:
    """Run every step, saying each in a line; the last line is `demo: ok ...`.

    Return what that line says.

    Raises:
        DemoError: a claim did not hold.
        BridgeError: no Anvil, no node, or `folder` exists.
    """
    with nullcontext(rpc) if rpc else local_anvil(anvil) as url:
        _check_node(url)
        room = _fresh(folder)
        say(f"folder: {room}")
        database = f"sqlite:///{room}/ledger.db"
        with _ledger(database) as ledger:
            _book_economy(ledger, say)
            _book_mainnet(ledger, say)
            batches = _seal(ledger, say)
            _export(ledger, room / "export", say)
        numbers = _on_chain(room, database, url, batches, say)
    program, at = _program(), shlex.quote(database)
    say(f"look around: {program} account list --database {at}")
    say(f"look at it in the explorer: {program} serve --open-reads --database {at}")
    say(f"demo: ok {numbers}")
    return numbers


def _program() -> str:
    """Return how this program is called again from here: `make demo` has it on no path."""
    called = Path(sys.argv[0])
    known = shutil.which("evm-ledger")
    if called.name != "evm-ledger" or (known and called.exists() and called.samefile(known)):
        return "evm-ledger"
    return shlex.quote(str(called))


def _check_node(url: str) -> None:
    """Refuse a node that does not answer, or a chain that is worth something, before all work."""
    with Chain.connect(url) as chain:
        if not chain.is_local_test:
            raise DemoError(f"chain {chain.chain_id} is no local test chain; start Anvil")


def _fresh(folder: Path | None) -> Path:
    """Make a new folder and return it."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="evm-ledger-demo-"))
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise TargetExistsError(f"{folder} exists; name a new folder") from None
    except OSError as error:
        raise BridgeError(f"{folder} cannot be made ({error.strerror})") from None
    return folder


def _ledger(database: str) -> Ledger:
    """Make the demo's ledger: fixed secrets and a fixed clock, so that it is always the same."""
    ticks = iter(range(START, 2**62, _STEP))
    return Ledger.create(
        database,
        ledger_id=Hash32(keccak(b"evm-ledger demo")),
        pepper=Hash32(keccak(b"evm-ledger demo: a real ledger draws its own")),
        clock=lambda: next(ticks),
    )


def _post(ledger: Ledger, items: Iterable[Item]) -> int:
    """Post `items` in runs, all of which must be accepted; return the number of entries."""
    run: list[Item] = []
    entries = 0
    for item in [*items, None]:
        if item is not None:
            run.append(item)
        if len(run) == _RUN or (item is None and run):
            for result in ledger.post_many(run):
                if isinstance(result, RefusedError):
                    raise DemoError(f"an entry was refused: {result}")
                entries += len(result.entries)
            run = []
    return entries


def _book_economy(ledger: Ledger, say: Callable[[str], None]) -> None:
    """Book the agents' history and compare its balances with those computed apart."""
    ledger.create_asset(SYMBOL, "SCI token")
    for account_id in economy.account_ids():
        ledger.create_account(account_id, asset=SYMBOL)
    entries = economy.ACCOUNTS + _post(ledger, economy.movements(SYMBOL))
    expected = economy.expected_balances(SYMBOL)
    found = {balance.account_id: balance.balance for balance in ledger.balances(SYMBOL)}
    _claim(found == expected, "the ledger's balances are those computed apart from it")
    _claim(entries == economy.ENTRIES == ledger.head(SYMBOL).seq, "every entry was booked")
    say(
        f"booked: {entries} entries of {economy.ACCOUNTS} agents in {SYMBOL}; each balance equals "
        "one computed apart from the ledger"
    )


def _book_mainnet(ledger: Ledger, say: Callable[[str], None]) -> None:
    """Book the real transfers of two mainnet blocks, one asset a token."""
    transfers, skipped = mainnet.read_transfers()
    for token in dict.fromkeys(transfer.token for transfer in transfers):
        ledger.create_asset(token, f"mainnet {token}", 0)
    named = {
        account_id
        for transfer in transfers
        for account_id in (transfer.movement.from_account, transfer.movement.to_account)
    } - {ISSUER}
    _post(ledger, (OpenAccount(a, 0) for a in sorted(named)))
    opening = _post(ledger, mainnet.opening_balances(transfers))
    entries = _post(ledger, mainnet.groups(transfers))
    _claim(entries == len(transfers), "every transfer became one entry")
    say(
        f"booked: {entries} real ERC-20 transfers of two mainnet blocks as {len(named)} accounts "
        f"by address, on {opening} opening mints; {skipped} ERC-721 logs skipped"
    )


def _seal(ledger: Ledger, say: Callable[[str], None]) -> int:
    """Seal everything; return the number of batches."""
    seals = batches = 0
    while sealed := ledger.seal():
        seals += 1
        batches += len(sealed.batches)
    report = ledger.audit()
    _claim(report.ok, f"the audit finds nothing ({report.finding})")
    say(
        f"sealed: {batches} batches in {seals} seals; audit recomputed {report.entries} entries "
        "and found nothing"
    )
    return batches


def _export(ledger: Ledger, folder: Path, say: Callable[[str], None]) -> None:
    """Export, and compare the mainnet logs that come out with those that went in."""
    report = export(ledger, folder)
    transfers, _ = mainnet.read_transfers()
    came_out = _exported_logs(ledger, folder)
    for token in dict.fromkeys(transfer.token for transfer in transfers):
        went_in = [(list(t.topics), t.data) for t in transfers if t.token == token]
        asset = ledger.asset(token)
        _claim(came_out[asset.symbol][-len(went_in) :] == went_in, f"logs of {token} are the same")
    say(
        f"exported: {report.entries} entries; topics and data of all {len(transfers)} mainnet "
        "logs came out byte for byte as they went in"
    )


def _exported_logs(ledger: Ledger, folder: Path) -> dict[str, list[tuple[list[str], str]]]:
    """Return (topics, data) of the logs in an export, by symbol."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    symbols = {row["log_address"].lower(): row["symbol"] for row in manifest["assets"]}
    logs: dict[str, list[tuple[list[str], str]]] = {asset.symbol: [] for asset in ledger.assets()}
    with (folder / "logs.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            log = json.loads(line)
            logs[symbols[log["address"].lower()]].append((log["topics"], log["data"]))
    return logs


def _on_chain(
    room: Path, database: str, url: str, batches: int, say: Callable[[str], None]
) -> DemoNumbers:
    """Deploy, replay, verify; then alter a row of a copy, and find it."""
    with Ledger.open(database) as ledger, Chain.connect(url) as chain:
        signer = Signer.for_test_chain()
        deployed = deploy(ledger, chain, signer)
        say(f"deployed: the account factory and {len(deployed.tokens)} tokens, one an asset")
        replayed = replay(ledger, chain, signer)
        again = replay(ledger, chain, signer)
        _claim(again.batches == 0, "a second replay sends nothing")
        gas = replayed.gas_used // replayed.entries
        say(
            f"replayed: {replayed.entries} Transfer events in {replayed.batches} transactions, "
            f"{gas} gas an entry; a second replay sent nothing"
        )
        report = verify(ledger, chain)
        _claim(report.agree, f"chain and ledger agree ({report.mismatches[:1]})")
        balances = sum(asset.balances for asset in report.assets)
        say(
            f"verified: every log and {balances} balances are equal to the unit, in block "
            f"{report.block_number}"
        )
        found = _tamper(room, ledger, chain, say)
        return DemoNumbers(
            entries=replayed.entries,
            accounts=sum(1 for _ in ledger.accounts()) - 1,
            batches=batches,
            gas_per_entry=gas,
            mismatches=len(report.mismatches),
            tamper_found=found,
        )


def _tamper(room: Path, ledger: Ledger, chain: Chain, say: Callable[[str], None]) -> int:
    """Alter one amount by one unit in a copy; return 1 if audit and verify both find just it."""
    copy = room / "tampered.db"
    seq = ledger.head(SYMBOL).seq // 2
    with sqlite3.connect(room / "ledger.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
        target.execute("DROP TRIGGER token_ledger_no_update")
        where = "asset = (SELECT asset FROM token_assets WHERE symbol = ?) AND seq = ?"
        sql = f"SELECT amount FROM token_ledger WHERE {where}"  # noqa: S608 (constant)
        (amount,) = target.execute(sql, (SYMBOL, seq)).fetchone()
        altered = (int.from_bytes(amount, "big") + 1).to_bytes(32, "big")
        sql = f"UPDATE token_ledger SET amount = ? WHERE {where}"  # noqa: S608 (constant)
        target.execute(sql, (altered, SYMBOL, seq))
    source.close()
    target.close()
    with Ledger.open(f"sqlite:///{copy}") as tampered:
        finding = tampered.audit().finding
        mismatches = verify(tampered, chain).mismatches
    row = f"{SYMBOL}/{seq}"
    _claim(finding is not None and finding.row == row, f"audit names {row} ({finding})")
    named = {(mismatch.asset, mismatch.seq) for mismatch in mismatches}
    _claim(named == {(SYMBOL, seq)}, f"verify names {row} and nothing else ({mismatches[:3]})")
    say(f"tampered: one unit more in entry {row} of a copy")
    say(f"  audit:  {finding}")
    for mismatch in mismatches:
        say(f"  verify: {mismatch}")
    return 1


def _claim(holds: bool, what: str) -> None:  # noqa: FBT001 (a claim is a condition and its words)
    """Stop the demo unless `what` holds."""
    if not holds:
        raise DemoError(f"this does not hold: {what}")
