"""What the tests of the contracts share: a token in each phase, and people with keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contracts.people import OPERATOR
from tests.contracts.token import Token, new_token

if TYPE_CHECKING:
    from tests.support.nodes import Node


@pytest.fixture
def token(anvil: Node) -> Token:
    """Return a token without entries, on Anvil."""
    return new_token(anvil)


@pytest.fixture
def node_token(node: Node) -> Token:
    """Return a token without entries: the test runs once on each kind of node."""
    return new_token(node)


@pytest.fixture
def live_token(token: Token) -> Token:
    """Return a token on which ALICE's derived address and her wallet hold tokens, live."""
    token.endow()
    token.finalize(sender=OPERATOR.address)
    return token
