"""The proxy that the hostile node of other tests is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.errors import NoAnswerError
from tests.support.rpc_proxy import Dropped, RpcProxy

if TYPE_CHECKING:
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json


def test_passes_on_alters_and_drops(rpc_proxy: RpcProxy, anvil: Node) -> None:
    """Honest, it answers as the node; a test makes it lie, and hang up."""
    with Chain.connect(rpc_proxy.url) as proxied, Chain.connect(anvil.url) as direct:
        assert proxied.block() == direct.block()

        def lie(request: Json, forward: Forward) -> Json:
            return {**forward(request), "result": "0x7"}

        rpc_proxy.behave = lie
        assert proxied.quantity(proxied.request("eth_blockNumber")) == 7

        def drop(request: Json, forward: Forward) -> Json:
            forward(request)
            raise Dropped

        rpc_proxy.behave = drop
        with pytest.raises(NoAnswerError):
            proxied.block()
    assert rpc_proxy.calls[-2:] == ["eth_blockNumber", "eth_getBlockByNumber"]
