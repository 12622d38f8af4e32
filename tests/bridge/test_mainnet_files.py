"""Real logs of two mainnet blocks: through our types and encoders, and out byte for byte as before.

What they are compared with was not written by this project (see tests/data/README.md).
"""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from bridge import cryo, etl, files, log_files, mainnet
from bridge.codec import Log, quantity, transfer_log, transfer_record
from bridge.demo import _book_mainnet
from bridge.export import export
from bridge.imports import import_ledger
from ledger import Ledger
from tests.bridge.histories import seal_all
from tests.bridge.test_parquet import Memory

DATA = Path(__file__).parents[1] / "data"
TRANSFERS = DATA / "mainnet_token_transfers_17173049_17173050.jsonl"
CSV = DATA / "token_transfers_17173049_17173050.csv"
[LOGS] = Path(mainnet.__file__).with_name("data").glob("mainnet_logs_*.jsonl")


def answer(item: dict[str, Any]) -> dict[str, Any]:
    """Return a log of ethereum-etl as a node gave it, before its `receipt_log_mapper.py`."""
    return {
        "address": item["address"],
        "topics": item["topics"],
        "data": item["data"],
        "blockNumber": quantity(item["block_number"]),
        "transactionHash": item["transaction_hash"],
        "transactionIndex": quantity(item["transaction_index"]),
        "blockHash": item["block_hash"],
        "logIndex": quantity(item["log_index"]),
        "removed": False,
    }


LINES = LOGS.read_bytes().splitlines(keepends=True)
ITEMS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
PARSED = [Log.parse(answer(item)) for item in ITEMS]
ERC20 = [log for log in PARSED if transfer_record(log) is not None]


def line_of(log: dict[str, Any], times: dict[str, Any]) -> bytes:
    """Return a log of `eth_getLogs` as ethereum-etl writes it, with the times of its block."""
    item = {
        "type": "log",
        "log_index": int(log["logIndex"], 16),
        "transaction_hash": log["transactionHash"],
        "transaction_index": int(log["transactionIndex"], 16),
        "address": log["address"],
        "data": log["data"],
        "topics": log["topics"],
        "block_number": int(log["blockNumber"], 16),
        "block_timestamp": times["block_timestamp"],
        "block_hash": log["blockHash"],
        "item_id": f"log_{log['transactionHash']}_{int(log['logIndex'], 16)}",
        "item_timestamp": times["item_timestamp"],
    }
    return json.dumps(item).encode() + b"\n"


def test_every_log_comes_out_byte_for_byte_as_it_went_in() -> None:
    assert (len(PARSED), len(ERC20)) == (681, 282)
    for line, item, log in zip(LINES, ITEMS, PARSED, strict=True):
        assert line_of(log.to_rpc(), item) == line


def test_every_transfer_comes_out_of_its_movement() -> None:
    """Through the values that the ledger keeps: from, to and amount."""
    for log in ERC20:
        record = transfer_record(log)
        assert record is not None
        assert transfer_log(log.address, record, log.place) == log


def test_the_csv_is_the_one_that_ethereum_etl_writes() -> None:
    """All but its ERC-721 transfers, which are no amounts: four topics and no data."""
    unique = {(log.place.transaction_hash.hex(), log.place.log_index) for log in ERC20}
    header, *lines = CSV.read_bytes().splitlines(keepends=True)
    kept = [
        line
        for line in lines
        if (line.split(b",")[4][2:].decode(), int(line.split(b",")[5])) in unique
    ]
    assert (len(lines), len(kept)) == (291, 282)
    assert header == etl.HEADER
    assert [etl.csv_line(log) for log in ERC20] == kept


def test_rows_are_the_transfers_that_ethereum_etl_extracts() -> None:
    theirs = [json.loads(line) for line in TRANSFERS.read_bytes().splitlines()]
    found = {
        (row[4], int(row[5])): row
        for row in (etl.csv_line(log).decode().strip().split(",") for log in ERC20)
    }
    assert len(found) == 282
    for item in theirs:
        row = found.pop((item["transaction_hash"], item["log_index"]), None)
        if row is not None:
            assert row == [str(item[name]) for name in etl.COLUMNS]
    assert found == {}


def test_parquet_rows_are_what_cryo_makes_of_these_logs() -> None:
    """Computed from the file alone, as `process_erc20_transfers` does."""
    rows = [
        (
            item["block_number"],
            item["transaction_index"],
            item["log_index"],
            bytes.fromhex(item["transaction_hash"][2:]),
            bytes.fromhex(item["address"][2:]),
            bytes.fromhex(item["topics"][1][26:]),
            bytes.fromhex(item["topics"][2][26:]),
            bytes.fromhex(item["data"][2:]),
            str(int(item["data"], 16)),
            float(int(item["data"], 16)),
            1,
        )
        for item in ITEMS
        if item["topics"][:1] == [str(PARSED[0].topics[0])]
        and len(item["topics"]) == 3
        and len(item["data"]) == 66
    ]
    out = Memory()
    file = cryo.TransfersFile(1, out)
    for log in ERC20:
        file.add(log)
    file.end()
    assert pl.read_parquet(io.BytesIO(out.content)).rows() == rows


@pytest.fixture(scope="module")
def booked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of a ledger in which these transfers were booked, as the demo does."""
    folder = tmp_path_factory.mktemp("mainnet")
    with Ledger.create(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        _book_mainnet(ledger, lambda _: None)
        seal_all(ledger)
        return export(ledger, folder / "export").path


def went_in() -> dict[str, list[tuple[bytes, bytes, bytes]]]:
    """Return (from, to, amount) of each token's transfers, in order."""
    moved: dict[str, list[tuple[bytes, bytes, bytes]]] = {}
    for log in ERC20:
        movement = (bytes(log.topics[1][12:]), bytes(log.topics[2][12:]), log.data)
        moved.setdefault("0x" + log.address.hex(), []).append(movement)
    return moved


def test_what_was_booked_comes_out_of_each_file(booked: Path, tmp_path: Path) -> None:
    """Token by token: what is before it in the export are the opening balances."""
    assets = json.loads((booked / files.MANIFEST).read_bytes())["assets"]
    symbols = {asset["log_address"].lower(): asset["symbol"] for asset in assets}
    table = pl.read_parquet(booked / cryo.FOLDER / "*.parquet")
    lines = (booked / etl.FILE).read_bytes().splitlines()[1:]
    logs = json.loads((booked / log_files.ARRAY).read_bytes())
    found: dict[str, list[tuple[bytes, bytes, bytes]]] = {}
    for row, line, log in zip(table.iter_rows(named=True), lines, logs, strict=True):
        movement = (row["from_address"], row["to_address"], row["value_binary"])
        cells = line.decode().split(",")
        assert cells[1:3] == ["0x" + address.hex() for address in movement[:2]]
        assert int(cells[3]) == int.from_bytes(movement[2], "big")
        assert (log["topics"][1:], log["data"]) == (
            ["0x" + bytes(12).hex() + address.hex() for address in movement[:2]],
            "0x" + movement[2].hex(),
        )
        found.setdefault(symbols[log["address"]], []).append(movement)
    for token, movements in went_in().items():
        assert found[token][-len(movements) :] == movements
    with import_ledger(booked, f"sqlite:///{tmp_path / 'back.db'}") as back:
        assert sum(back.head(asset.symbol).seq for asset in back.assets()) == len(logs)


def test_duckdb_joins_the_export_with_the_logs_of_mainnet(booked: Path) -> None:
    """Its own reader of each file: exact totals of what each account got of each token."""
    assets = json.loads((booked / files.MANIFEST).read_bytes())["assets"]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE asset (address VARCHAR, token VARCHAR)")
        pairs = [(asset["log_address"].lower(), asset["symbol"]) for asset in assets]
        connection.executemany("INSERT INTO asset VALUES (?, ?)", pairs)
        query = f"""
            SELECT token, to_address, sum(value::BIGNUM)::VARCHAR
            FROM '{booked / etl.FILE}' JOIN asset ON address = token_address
            WHERE from_address <> '0x{"0" * 40}' GROUP BY ALL
        """  # noqa: S608 (our own path)
        found = {(token, to): int(total) for token, to, total in connection.sql(query).fetchall()}
    expected: Counter[tuple[str, str]] = Counter()
    for token, movements in went_in().items():
        for sender, receiver, amount in movements:
            if any(sender):
                expected[token, "0x" + receiver.hex()] += int.from_bytes(amount, "big")
    assert found == expected
