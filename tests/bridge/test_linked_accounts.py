"""Accounts at addresses of their owners' travel with the proof, and nowhere without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.export import export
from bridge.imports import import_ledger
from ledger import Address, Hash32, Ledger, Link, LinkScheme
from tests.bridge.histories import LEDGER_ID, PEPPER, contents, copied, small_ledger
from tests.bridge.test_imports import _edited_line, _refused, _resummed
from tests.contracts.people import ALICE, BOB, STRANGER
from tests.ledger.test_real_addresses import signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GIVEN: Final = {
    "proved": (ALICE, signed("proved", ledger_id=LEDGER_ID)),
    "said": (BOB, signed("said", LinkScheme.EIP191, ledger_id=LEDGER_ID, signer=BOB)),
    "multisig": (STRANGER, Link(LinkScheme.ERC1271, 10, b"")),
}
TRUSTED: Final = Address(b"\xcd" * 20)


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Ledger]:
    """Return a sealed ledger with an account of each scheme."""
    with small_ledger(f"sqlite:///{tmp_path / 'linked.db'}", sealed=False) as ledger:
        for name, (owner, link) in GIVEN.items():
            address = Address.parse(owner.address)
            ledger.create_account(name, asset="SCI", address=address, link=link)
        ledger.create_account(
            "trusted", asset="SCI", address=TRUSTED, link=Link(LinkScheme.OPERATOR)
        )
        ledger.seal()
        yield ledger


@pytest.mark.parametrize("pepper", [PEPPER, None], ids=["with pepper", "without"])
def test_the_proofs_survive_an_export(
    linked: Ledger, tmp_path: Path, database_url: str, pepper: Hash32 | None
) -> None:
    folder = export(linked, tmp_path / "one").path
    with import_ledger(folder, database_url, pepper=pepper) as copy:
        assert list(copy.accounts()) == list(linked.accounts())
        assert {it.link.scheme for it in copy.accounts() if it.link} == set(LinkScheme)
        report = copy.audit()
        assert report.ok, report.finding
        assert contents(export(copy, tmp_path / "two").path) == contents(folder)


def _without_link(row: dict[str, Any]) -> None:
    del row["link"]


ALTERED: Final[dict[str, tuple[str, Callable[[dict[str, Any]], None]]]] = {
    "no proof": ("proved", _without_link),
    "another address": ("proved", lambda row: row.update(address=BOB.address)),
    "another scheme": ("said", lambda row: row["link"].update(scheme="eip712")),
    "an altered signature": (
        "said",
        lambda row: row["link"].update(signature="0x01" + row["link"]["signature"][4:]),
    ),
    "a derived address": ("trusted", lambda row: row.update(derived=True)),
    "an address that none may have": (
        "trusted",
        lambda row: row.update(address="0x0000000000000000000000000000000000000001"),
    ),
    "another id": ("proved", lambda row: row.update(account_id="provee")),
}


@pytest.mark.parametrize("case", ALTERED)
def test_an_altered_proof_is_not_imported(linked: Ledger, tmp_path: Path, case: str) -> None:
    name, edit = ALTERED[case]
    folder = copied(export(linked, tmp_path / "one").path, tmp_path / "two")
    names = [account.account_id for account in linked.accounts()]
    _edited_line(folder, "accounts.jsonl", names.index(name) + 1, edit)
    _resummed(folder)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert error.file == "accounts.jsonl"
