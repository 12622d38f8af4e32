"""No transaction of a token's life changes its price unseen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.contracts.gas import SNAPSHOT, measure, text

if TYPE_CHECKING:
    from tests.support.nodes import Node


def test_gas_is_that_of_the_snapshot(node: Node) -> None:
    # Changed on purpose? `make gas` writes the file anew; the change then shows what it costs.
    assert measure(node) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_the_snapshot_is_as_it_is_written() -> None:
    written = SNAPSHOT.read_text(encoding="utf-8")
    assert written == text(json.loads(written))
