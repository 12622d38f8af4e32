"""The explorer after a replay onto a real chain: what its pages say against what the node says."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from bridge.api import Settings
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.keys import Signer
from bridge.replay import replay
from tests.api.server import ApiServer
from tests.bridge.histories import small_ledger

if TYPE_CHECKING:
    from tests.support.nodes import Node


def fields(page: str) -> dict[str, list[str]]:
    """Return what a page says of each field, without its mark-up."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page, re.DOTALL):
        text = unescape(re.sub(r"<button.*?</button>|<[^>]+>", "", value))
        found.setdefault(name, []).append(" ".join(text.split()))
    return found


def test_every_entry_names_its_transaction(sqlite_url: str, anvil: Node) -> None:
    """And its log as the node has it, byte for byte: off-chain, then replayed, then final."""
    with small_ledger(sqlite_url) as ledger, Chain.connect(anvil.url) as chain:
        server = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
        try:
            client = server.client()
            entries = list(ledger.entries("SCI"))

            def said(at: int = 0) -> dict[str, list[str]]:
                return fields(client.get(f"/entry/{entries[at].id}").text)

            assert said()["State"] == ["sealed, off-chain"]
            assert "Transaction" not in said()
            signer = Signer.for_test_chain()
            deploy(ledger, chain, signer)
            replay(ledger, chain, signer)
            final = int(anvil.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)  # noqa: FBT003 (JSON-RPC has it so)
            [token] = said()["Token"]
            asked = {"address": token, "fromBlock": "0x0", "topics": [said()["topics[0]"][0]]}
            logs = anvil.rpc("eth_getLogs", asked)
            assert len(logs) == len(entries)
            for at, log in enumerate(logs):
                shown = said(at)
                is_final = int(log["blockNumber"], 16) <= final
                assert shown["State"] == ["final" if is_final else "replayed"]
                assert shown["Transaction"] == [log["transactionHash"]]
                assert shown["Block"] == [str(int(log["blockNumber"], 16))]
                assert shown["data"] == [log["data"]]
                assert [shown[f"topics[{n}]"][0] for n in range(3)] == log["topics"]
            [last] = ledger.entries("GOLD", ledger.head("GOLD").seq)
            assert fields(client.get(f"/entry/{last.id}").text)["State"] == ["replayed"]
            anvil.rpc("anvil_mine", hex(200))
            replay(ledger, chain, signer)
            assert fields(client.get(f"/entry/{last.id}").text)["State"] == ["final"]
            home = client.get("/?asset=SCI").text
            assert f"final</span> 1 to {len(entries)}" in home
            found = client.get(f"/search?q={logs[0]['transactionHash']}").headers["location"]
            assert found == "/batch/1?asset=SCI"
            assert fields(client.get(found).text)["State"] == ["final"]
        finally:
            server.stop()
