"""What is posted together, and everything that is known about it before the lock. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.needs import Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ledger.model import Hash32
    from ledger.requests import Item
    from ledger.results import Asset, Identity
    from ledger.rules import Target


@dataclass(frozen=True, slots=True)
class Run:
    """What to post together, and everything that is known before the lock."""

    identity: Identity
    pepper: Hash32
    assets: Mapping[str, Asset]
    items: Sequence[Item]
    clock: Callable[[], int] | None
    symbols: tuple[str, ...] = ()
    """The journals that are locked: all that the items need and that exist."""
    times: tuple[int, ...] = ()
    """When each item happened, for an import; such a run is posted whole or not at all."""
    needs: Needs = field(default_factory=Needs)
    """What the items ask about."""
    targets: Mapping[Hash32, Target] = field(default_factory=dict)
    """What the items name by id, as far as it exists: entries, and whose a hold is, are final."""
