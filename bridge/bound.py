"""The bridge of one ledger, called as the first specification calls it: without the ledger.

A `Ledger` has the first specification's other functions as its methods. It knows no chain, so these
are not among them: they are the methods of a `Bridge`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.chain_state import import_chain_state
from bridge.compatibility import ledger_chain_compatibility_report
from bridge.first_spec import account_address, export_ledger_for_chain
from bridge.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bridge.chain_state import Balances, Logs, StateImport
    from bridge.compatibility import CompatibilityReport
    from bridge.first_spec import ChainBatch
    from bridge.progress import ReportProgress
    from ledger import Ledger
    from ledger.model import Address, Hash32


class Bridge:
    """What chains have to do with one ledger; each method is the function of that name.

    with Ledger.open("sqlite:///points.db") as ledger:
        bridge = Bridge(ledger)
        report = bridge.ledger_chain_compatibility_report()
    """

    def __init__(self, ledger: Ledger) -> None:
        """Speak for `ledger`, which stays open for as long as this is used."""
        self._ledger = ledger

    def account_address(self, account_id: str) -> Address:
        """Return the 20 bytes that an account has on every EVM chain.

        Raises:
            As `bridge.account_address`.
        """
        return account_address(self._ledger, account_id)

    def export_ledger_for_chain(
        self, since: datetime | int | Hash32 | None = None, chain: int | str = "ethereum"
    ) -> Iterator[ChainBatch]:
        """Return every sealed batch from `since` on, seal by seal, ready for `chain`.

        Raises:
            As `bridge.export_ledger_for_chain`.
        """
        return export_ledger_for_chain(self._ledger, since, chain)

    def import_chain_state(
        self,
        state: Balances | Logs,
        source_chain: int,
        dry_run: bool = True,  # noqa: FBT001, FBT002 (named and placed by the first specification)
        *,
        asset: str | None = None,
    ) -> StateImport:
        """Book what `source_chain` says of another token, or with `dry_run` say what would be.

        Raises:
            As `bridge.import_chain_state`.
        """
        return import_chain_state(self._ledger, state, source_chain, dry_run, asset=asset)

    def ledger_chain_compatibility_report(
        self, *, progress: ReportProgress = ignore
    ) -> CompatibilityReport:
        """Say what becomes of each field on each family of chains, and what does not fit.

        Raises:
            As `bridge.ledger_chain_compatibility_report`.
        """
        return ledger_chain_compatibility_report(self._ledger, progress=progress)
