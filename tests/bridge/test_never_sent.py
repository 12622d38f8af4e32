"""Replays by a ledger that has sent nothing itself, or of which nothing is sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.deploy import deploy
from bridge.errors import TransactionError
from bridge.imports import import_ledger
from bridge.patience import Patience
from bridge.replay import replay
from bridge.status import read_status
from bridge.tracking import Confirmed
from ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.chain import Chain
    from bridge.keys import Signer


def test_a_copy_waits_for_what_others_sent(
    book: Ledger, exported: Path, any_chain: Chain, signer: Signer, tmp_path: Path
) -> None:
    """Its outbox is empty, and all the same the batches must be as deep as it was asked."""
    deploy(book, any_chain, signer)
    replay(book, any_chain, signer)
    with import_ledger(exported, f"sqlite:///{tmp_path}/copy.db") as copy:
        hasty = Patience(give_up_after=0.2)
        with pytest.raises(TransactionError, match="is not 5 blocks deep yet"):
            replay(copy, any_chain, signer, patience=hasty, confirmed=Confirmed(5))
        assert replay(copy, any_chain, signer).batches == 0


def test_what_was_never_sealed_is_said(chain: Chain, signer: Signer, sqlite_url: str) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("AAA", "AAA")
        ledger.create_account("alice")
        ledger.create_account("bob")
        report = replay(ledger, chain, signer, confirmed=Confirmed(5))
        assert (report.assets, report.batches, report.unsealed) == ((), 0, 2)
        [status] = read_status(ledger, chain).assets
        assert (status.symbol, status.posted, status.sealed, status.mined) == ("AAA", 2, 0, 0)
        ledger.seal()
        ledger.create_asset("BBB", "BBB")
        ledger.mint("alice", 1, asset="BBB")
        deploy(ledger, chain, signer)
        report = replay(ledger, chain, signer)
        assert (report.entries, report.unsealed) == (2, 1)
        statuses = read_status(ledger, chain).assets
        assert [(it.symbol, it.posted, it.sealed, it.mined) for it in statuses] == [
            ("AAA", 2, 2, 2),
            ("BBB", 1, 0, 0),
        ]
