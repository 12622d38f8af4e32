"""Exports as others open them, unchanged (DuckDB, Polars, web3): the exact total, no float."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from web3 import Web3
from web3._utils.events import get_event_data
from web3._utils.method_formatters import log_entry_formatter

from bridge import cryo, etl, files, log_files
from bridge.artifacts import artifact
from bridge.codec import Log, Place, transfer_log
from bridge.export import export
from bridge.imports import import_ledger
from bridge.log_files import rows_of_files
from bridge.proving import BalanceTree
from ledger import Address, Hash32, Ledger
from ledger.model import Record
from tests.bridge.histories import contents, wide_ledger
from tests.bridge.test_parquet import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARQUET = f"{cryo.FOLDER}/*.parquet"
WORD = 64
"""Bits of a limb: four of them are a uint256."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of a ledger with the largest amounts."""
    folder = tmp_path_factory.mktemp("wide")
    with wide_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        return export(ledger, folder / "export").path


def totals(folder: Path) -> dict[str, int]:
    """Return what was moved of each token, by its address in logs, from the entries alone."""
    assets = json.loads((folder / files.MANIFEST).read_bytes())["assets"]
    addresses = {asset["symbol"]: asset["log_address"].lower() for asset in assets}
    moved: Counter[str] = Counter()
    for line in (folder / files.ENTRIES).read_bytes().splitlines():
        entry = json.loads(line)
        moved[addresses[entry["asset"]]] += int(entry["amount"])
    return dict(moved)


def joined(limbs: tuple[Any, ...]) -> int:
    """Return the number whose limbs (most significant first) were added up apart."""
    total = 0
    for limb in limbs:
        assert type(limb) is int
        total = (total << WORD) + limb
    return total


def of_words(row: tuple[Any, ...]) -> tuple[str, int]:
    """Return (token, total) of a row of a token and four sums."""
    return "0x" + row[0].hex(), joined(row[1:])


def test_the_totals_are_beyond_every_number_of_a_database(wide: Path) -> None:
    assert sorted(total.bit_length() for total in totals(wide).values()) == [10, 72, 258]


# --- DuckDB ---


def duck(query: str, folder: Path, name: str) -> list[tuple[Any, ...]]:
    """Return what DuckDB answers about a file; {} is its path."""
    with duckdb.connect() as connection:
        return connection.sql(query.format(f"'{folder / name}'")).fetchall()


LIMBS = ", ".join(
    f"sum(('0x' || hex({{column}}[{8 * n + 1}:{8 * n + 8}]))::UBIGINT::HUGEINT)" for n in range(4)
)


def test_duckdb_adds_up_the_parquet_files(wide: Path) -> None:
    by_text = duck(
        "SELECT '0x' || lower(hex(erc20)), sum(value_string::BIGNUM)::VARCHAR FROM {} GROUP BY 1",
        wide, PARQUET,
    )  # fmt: skip
    assert {token: int(total) for token, total in by_text} == totals(wide)
    limbs = LIMBS.format(column="value_binary")
    query = "SELECT erc20, " + limbs + " FROM {} GROUP BY erc20"  # noqa: S608 (constants)
    by_word = duck(query, wide, PARQUET)
    assert dict(map(of_words, by_word)) == totals(wide)


def test_duckdb_adds_up_the_csv(wide: Path) -> None:
    found = duck(
        "SELECT token_address, sum(value::BIGNUM)::VARCHAR "
        "FROM read_csv({}, types = {{'value': 'VARCHAR'}}) GROUP BY 1",
        wide, etl.FILE,
    )  # fmt: skip
    assert {token: int(total) for token, total in found} == totals(wide)


@pytest.mark.parametrize("name", [files.LOGS, log_files.ARRAY])
def test_duckdb_adds_up_the_logs(wide: Path, name: str) -> None:
    limbs = LIMBS.format(column="unhex(data[3:])")
    query = "SELECT unhex(address[3:]) AS a, " + limbs + " FROM {} GROUP BY a"  # noqa: S608 (constants)
    found = duck(query, wide, name)
    assert dict(map(of_words, found)) == totals(wide)


@pytest.mark.parametrize(("fits", "kind"), [(True, "HUGEINT"), (False, "BIGNUM")])
def test_duckdb_itself_takes_the_amounts_of_a_csv_for_integers(
    exported: Path, wide: Path, *, fits: bool, kind: str
) -> None:
    columns = duck("DESCRIBE SELECT * FROM {}", exported if fits else wide, etl.FILE)
    kinds = {"value": kind, "log_index": "BIGINT", "block_number": "BIGINT"}
    assert [(name, found) for name, found, *_ in columns] == [
        (name, kinds.get(name, "VARCHAR")) for name in etl.COLUMNS
    ]


# --- Polars ---


def limbs(column: pl.Expr) -> list[pl.Expr]:
    """Return four sums: of each limb of a column of words."""
    parts = (column.bin.slice(8 * n, 8) for n in range(4))
    return [
        part.bin.reinterpret(dtype=pl.UInt64, endianness="big").cast(pl.Int128).sum().alias(str(n))
        for n, part in enumerate(parts)
    ]


def test_polars_adds_up_the_parquet_files(wide: Path) -> None:
    table = pl.scan_parquet(wide / PARQUET)
    by_word = table.group_by("erc20").agg(limbs(pl.col("value_binary"))).collect()
    assert dict(map(of_words, by_word.rows())) == totals(wide)
    by_text: Counter[str] = Counter()
    for token, amount in table.select("erc20", "value_string").collect().rows():
        by_text["0x" + token.hex()] += int(amount)
    assert by_text == totals(wide)


def test_polars_adds_up_the_csv(wide: Path) -> None:
    table = pl.read_csv(wide / etl.FILE, schema_overrides={"value": pl.String})
    assert tuple(table.columns) == etl.COLUMNS
    found: Counter[str] = Counter()
    for token, amount in table.select("token_address", "value").rows():
        found[token] += int(amount)
    assert found == totals(wide)


@pytest.mark.parametrize("name", [files.LOGS, log_files.ARRAY])
def test_polars_adds_up_the_logs(wide: Path, name: str) -> None:
    path = wide / name
    table = pl.read_json(path) if name == log_files.ARRAY else pl.read_ndjson(path)
    words = pl.col("data").str.slice(2).str.decode("hex")
    token = pl.col("address").str.slice(2).str.decode("hex")
    found = table.group_by(token).agg(limbs(words))
    assert dict(map(of_words, found.rows())) == totals(wide)


# --- web3 and Python ---


def test_web3_reads_the_logs_as_those_of_a_node(wide: Path) -> None:
    """What it does with the answer of a node, to both files of logs; then it decodes the events."""
    answer = json.loads((wide / log_files.ARRAY).read_bytes())
    assert answer == [json.loads(line) for line in (wide / files.LOGS).read_bytes().splitlines()]
    [event] = [it for it in artifact("LedgerToken").abi if it.get("name") == "Transfer"]
    found: Counter[str] = Counter()
    for log in answer:
        decoded = get_event_data(Web3().codec, event, log_entry_formatter(log))
        found[decoded["address"].lower()] += decoded["args"]["amount"]
    assert found == totals(wide)


def test_every_file_says_the_same(wide: Path) -> None:
    """Row by row: Parquet, CSV and both files of logs are one history."""
    table = pl.read_parquet(wide / PARQUET)
    lines = io.StringIO((wide / etl.FILE).read_text(encoding="utf-8"), newline="")
    logs = [json.loads(line) for line in (wide / files.LOGS).read_bytes().splitlines()]
    for row, cells, log in zip(
        table.iter_rows(named=True), csv.DictReader(lines), logs, strict=True
    ):
        amount = int(log["data"], 16)
        assert {
            name: cell.hex() if type(cell) is bytes else cell for name, cell in row.items()
        } == {
            "block_number": int(log["blockNumber"], 16),
            "transaction_index": int(log["transactionIndex"], 16),
            "log_index": int(log["logIndex"], 16),
            "transaction_hash": log["transactionHash"][2:],
            "erc20": log["address"][2:],
            "from_address": log["topics"][1][26:],
            "to_address": log["topics"][2][26:],
            "value_binary": log["data"][2:],
            "value_string": str(amount),
            "value_f64": float(amount),
            "chain_id": json.loads((wide / files.MANIFEST).read_bytes())["chain_id"],
        }
        assert cells == {
            "token_address": log["address"],
            "from_address": "0x" + row["from_address"].hex(),
            "to_address": "0x" + row["to_address"].hex(),
            "value": str(amount),
            "transaction_hash": log["transactionHash"],
            "log_index": str(row["log_index"]),
            "block_number": str(row["block_number"]),
        }


# --- OpenZeppelin's standard-v1 ---


@pytest.fixture(scope="module")
def balances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tree of the balances of WIDE, whose supply is 2**256 - 1."""
    folder = tmp_path_factory.mktemp("balances")
    with wide_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        (folder / "balances.json").write_bytes(BalanceTree(ledger, "WIDE").dump())
    return folder


def test_duckdb_adds_up_a_tree_of_balances(balances: Path) -> None:
    query = (
        "SELECT sum(leaf.value[2]::BIGNUM)::VARCHAR, count(DISTINCT leaf.value[1]), "
        "any_value(format) FROM (SELECT unnest(values) AS leaf, format FROM {})"
    )
    assert duck(query, balances, "balances.json") == [(str(2**256 - 1), 3, "standard-v1")]


def test_polars_adds_up_a_tree_of_balances(balances: Path) -> None:
    leaves = pl.read_json(balances / "balances.json").select(pl.col("values").explode())
    words = leaves.select(pl.col("values").struct.field("value").list.get(1)).to_series()
    assert words.dtype == pl.String
    assert sum(int(amount) for amount in words) == 2**256 - 1


# --- what cryo calls its columns, types and files ---


def test_columns_and_types_are_those_of_cryo(wide: Path) -> None:
    """As `erc20_transfers.rs` has them: u32, Vec<u8>, U256 (three columns) and u64."""
    assert dict(pl.read_parquet_schema(next(wide.glob(PARQUET)))) == {
        "block_number": pl.UInt32,
        "transaction_index": pl.UInt32,
        "log_index": pl.UInt32,
        "transaction_hash": pl.Binary,
        "erc20": pl.Binary,
        "from_address": pl.Binary,
        "to_address": pl.Binary,
        "value_binary": pl.Binary,
        "value_string": pl.String,
        "value_f64": pl.Float64,
        "chain_id": pl.UInt64,
    }


@pytest.mark.parametrize(
    ("last_block", "ranges"),
    [
        (0, ["00000000_to_00000000"]),
        (1, ["00000000_to_00000001"]),
        (999, ["00000000_to_00000999"]),
        (1_000, ["00000000_to_00000999", "00001000_to_00001000"]),
        (2_500, ["00000000_to_00000999", "00001000_to_00001999", "00002000_to_00002500"]),
    ],
)
def test_files_are_named_and_cut_as_cryo_does(last_block: int, ranges: list[str]) -> None:
    assert [file.name for file in cryo.files(5, last_block)] == [
        f"erc20_transfers/network_5__erc20_transfers__{blocks}.parquet" for blocks in ranges
    ]


def test_each_log_is_in_the_file_of_its_block() -> None:
    blocks = [0] * 2_500
    sinks: dict[str, Memory] = {}

    @contextmanager
    def open_sink(name: str) -> Iterator[Memory]:
        sinks[name] = Memory()
        yield sinks[name]

    with log_files.log_files(open_sink, 5, len(blocks)) as out:
        for number in (1, 999, 1_000, 1_999, 2_000, 2_000, 2_500):
            out.add(log_in(number))
            blocks[number - 1] += 1
    assert {name: sink.rows for name, sink in sinks.items()} == rows_of_files(5, blocks)
    found = [
        pl.read_parquet(io.BytesIO(sink.content))["block_number"].to_list()
        for name, sink in sinks.items() if name.startswith(cryo.FOLDER)
    ]  # fmt: skip
    assert found == [[1, 999], [1_000, 1_999], [2_000, 2_000, 2_500]]


def log_in(block: int) -> Log:
    """Return some log in a block."""
    record = Record(Address(b"\1" * 20), Address(b"\2" * 20), block)
    some = Hash32(b"\3" * 32)
    return transfer_log(Address(b"\4" * 20), record, Place(block, some, 0, some, 0))


# --- what does not depend on us ---


def test_both_databases_write_the_same_files_and_read_them(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    with wide_ledger(sqlite_url) as one, wide_ledger(postgres_url) as other:
        export(one, tmp_path / "one")
        export(other, tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    with import_ledger(tmp_path / "one", f"sqlite:///{tmp_path / 'back.db'}") as back:
        assert back.audit().ok
        export(back, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tmp_path / "one")


def test_a_ledger_without_entries_has_files_that_open(sqlite_url: str, tmp_path: Path) -> None:
    with Ledger.create(sqlite_url) as empty:
        export(empty, tmp_path / "x")
    [parquet] = (tmp_path / "x").glob(PARQUET)
    assert pl.read_parquet(parquet).shape == (0, len(cryo.COLUMNS))
    assert pl.read_csv(tmp_path / "x" / etl.FILE).shape == (0, len(etl.COLUMNS))
    assert json.loads((tmp_path / "x" / log_files.ARRAY).read_bytes()) == []
    for name in (f"{cryo.FOLDER}/{parquet.name}", etl.FILE, log_files.ARRAY):
        assert duck("SELECT count(*) FROM {}", tmp_path / "x", name) == [(0,)]
