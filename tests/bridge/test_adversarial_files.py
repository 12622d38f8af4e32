"""The small files beside an export, attacked field by field: secrets, checkpoints, balances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge import balance_files, checkpoint, imports
from bridge.balance_files import parse_balances
from bridge.checkpoint import read_checkpoint, write_checkpoint
from bridge.errors import ExportFileError, ProofError
from bridge.export import write_secrets
from bridge.imports import read_secrets
from bridge.words import LEAF
from tests.bridge.histories import LEDGER_ID
from tests.bridge.test_adversarial import Raw, bad_values, dumped, is_json, row_changes
from tests.bridge.test_balance_files import file_of, leaf

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.strict import Reader
    from ledger import Ledger


@pytest.mark.parametrize("field", imports._SECRETS)
def test_every_field_of_secrets(book: Ledger, tmp_path: Path, field: str) -> None:
    path = tmp_path / "secrets"
    write_secrets(book, path)
    row = json.loads(path.read_bytes())
    for change in row_changes(row, field, bad_values(imports._SECRETS[field])):
        path.write_text(dumped(change.row), encoding="utf-8")
        with pytest.raises(ExportFileError) as refusal:
            read_secrets(path, LEDGER_ID)
        assert (refusal.value.file, refusal.value.field) == ("secrets", change.named), change.what


CHECKPOINT = [("", name) for name in checkpoint._CHECKPOINT] + [
    ("batches[1].", name) for name in checkpoint._BATCH
]


@pytest.mark.parametrize(("inside", "field"), CHECKPOINT)
def test_every_field_of_a_checkpoint(
    book: Ledger, signer: Signer, tmp_path: Path, inside: str, field: str
) -> None:
    path = tmp_path / "seal.json"
    write_checkpoint(book, path, signer)
    document = json.loads(path.read_bytes())
    row = document["batches"][1] if inside else document
    reader: Reader = (checkpoint._BATCH if inside else checkpoint._CHECKPOINT)[field]
    read_checkpoint(path, LEDGER_ID, signer.address)
    for change in row_changes(row, field, bad_values(reader)):
        if inside:
            changed = {**document, "batches": [document["batches"][0], change.row]}
        else:
            changed = change.row
        path.write_text(dumped(changed), encoding="utf-8")
        with pytest.raises(ExportFileError) as refusal:
            read_checkpoint(path, LEDGER_ID, signer.address)
        named = {change.named, change.named and inside + change.named}
        if change.named is None and inside:
            named.add(inside.rstrip("."))
        assert refusal.value.file == "seal.json"
        assert refusal.value.field in named, change.what


TEXT = file_of([leaf(1, 5), leaf(2, 2**200)])


@pytest.mark.parametrize("field", balance_files._TREE)
def test_every_field_of_a_tree_of_balances(field: str) -> None:
    row = json.loads(TEXT)
    for change in row_changes(row, field, bad_values(balance_files._TREE[field])):
        with pytest.raises(ExportFileError) as refusal:
            parse_balances(dumped(change.row).encode() + b"\n")
        if change.named is not None:
            assert refusal.value.field in {change.named, None}, change.what


@pytest.mark.parametrize("field", balance_files._VALUE)
def test_every_field_of_a_value_of_it(field: str) -> None:
    row = json.loads(TEXT)
    for change in row_changes(row["values"][1], field, bad_values(balance_files._VALUE[field])):
        row["values"][1] = change.row
        with pytest.raises(ExportFileError) as refusal:
            parse_balances(dumped(row).encode() + b"\n")
        if change.named is not None:
            assert (refusal.value.field or "").endswith(change.named), change.what


@pytest.mark.parametrize("field", LEAF)
def test_every_word_of_a_leaf_of_it(field: str) -> None:
    for value in bad_values(LEAF[field]):
        row = json.loads(TEXT)
        row["values"][1]["value"][list(LEAF).index(field)] = Raw(value)
        with pytest.raises((ExportFileError, ProofError)) as refusal:
            parse_balances(dumped(row).encode() + b"\n")
        assert isinstance(refusal.value, ExportFileError)
        if is_json(value):
            assert refusal.value.field in {f"values[1].{field}", "value"}, value
