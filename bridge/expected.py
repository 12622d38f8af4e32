"""What must be in a database, from outside it: a head, an export, a checkpoint, a chain."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.chain import Chain
from bridge.checkpoint import read_checkpoint
from bridge.errors import BridgeError, NoContractError
from bridge.files import MANIFEST
from bridge.manifest import read_manifest
from bridge.tokens import read_token
from ledger import Address, FieldError, Finding, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger import Ledger

Heads = dict[str, tuple[int, bytes]]
"""(seq, head) by symbol."""

_LITERAL = re.compile(r"(.+):([0-9]{1,19}):(0x[0-9a-fA-F]{64})", re.DOTALL)
"""A symbol may itself have colons."""


@dataclass(slots=True)
class Expected:
    """What an audit must find besides what follows from the database itself."""

    heads: Heads = field(default_factory=dict)
    seals: dict[int, Hash32] = field(default_factory=dict)
    """Seal ids by number: a seal commits to all before it, so to assets that are not in it too."""

    def add(self, heads: Heads) -> None:
        """Take `heads` in; the highest seq counts where an asset is named twice."""
        for symbol, head in heads.items():
            if head[0] >= self.heads.get(symbol, (0, b""))[0]:
                self.heads[symbol] = head

    def missing_asset(self, ledger: Ledger) -> Finding | None:
        """Take out the heads of assets that the ledger has not; return the first, as a finding."""
        known = {asset.symbol for asset in ledger.assets()}
        gone = [symbol for symbol in self.heads if symbol not in known]
        for symbol in gone:
            del self.heads[symbol]
        return Finding("token_assets", gone[0], "row", "there", "missing") if gone else None

    def wrong_seal(self, ledger: Ledger) -> Finding | None:
        """Return the first seal that is not the one expected, or is not there."""
        for number, expected in sorted(self.seals.items()):
            sealed = next(ledger.seals(number), None)
            found = sealed.id if sealed and sealed.seal.number == number else None
            if found != expected:
                shown = "missing" if found is None else str(found)
                return Finding("token_seals", str(number), "id", str(expected), shown)
        return None


def read_expected(ledger: Ledger, sources: Iterable[str], signer: str | None) -> Expected:
    """Return what `sources` say.

    A source is `SYMBOL:SEQ:0xHEAD`, the folder or manifest.json of an export, a checkpoint file
    signed by `signer`, or the http(s) URL of a node.

    Raises:
        FieldError: a source is none of these.
        ExportFileError, ChainError: the file or the node does not give a head.
    """
    expected = Expected()
    for source in sources:
        if literal := _LITERAL.fullmatch(source):
            symbol = ledger.asset(literal[1]).symbol
            expected.add({symbol: (int(literal[2]), bytes(Hash32.parse(literal[3])))})
        elif source.startswith(("http://", "https://")):
            expected.add(_from_chain(ledger, source))
        else:
            _add_file(expected, ledger, source, signer)
    return expected


def _add_file(expected: Expected, ledger: Ledger, source: str, signer: str | None) -> None:
    """Take in an export or a checkpoint."""
    path = Path(source)
    try:
        is_folder, is_file = bool(source) and path.is_dir(), path.is_file()
    except OSError:  # such as a name that is too long
        is_folder = is_file = False
    if is_folder or path.name == MANIFEST:
        _add_export(expected, ledger, path if is_folder else path.parent)
    elif not is_file:
        forms = "SYMBOL:SEQ:0xHEAD with 64 hex digits, no export, no checkpoint, no URL"
        raise FieldError("expect-head", f"{source[:80]!r} is no {forms}")
    elif signer is None:
        raise FieldError("signer", f"say who must have signed {source}: --signer ADDRESS")
    else:
        wallet = Address.parse(signer, "signer")
        checkpoint = read_checkpoint(path, ledger.identity.ledger_id, wallet)
        symbols = {asset.id: asset.symbol for asset in ledger.assets()}
        for asset, (symbol, seq, head) in checkpoint.heads.items():
            expected.add({symbols.get(asset, symbol): (seq, head)})
        expected.seals[checkpoint.number] = checkpoint.seal_id


def _add_export(expected: Expected, ledger: Ledger, folder: Path) -> None:
    """Take in what an export's manifest states."""
    manifest = read_manifest(folder)
    if manifest.ledger_id != ledger.identity.ledger_id:
        raise BridgeError(f"{folder} is an export of another ledger, {manifest.ledger_id}")
    expected.add({a.asset.symbol: (a.entries, bytes(a.head)) for a in manifest.assets})
    if manifest.seals:
        expected.seals[manifest.seals[-1].seal.number] = manifest.seals[-1].id


def _from_chain(ledger: Ledger, url: str) -> Heads:
    """Return the heads that the token contracts keep; assets that are not there have none."""
    heads: Heads = {}
    with Chain.connect(url) as chain:
        block = chain.block()
        for asset in ledger.assets():
            try:
                token = read_token(chain, ledger.identity, asset, block)
            except NoContractError:
                continue
            heads[asset.symbol] = (token.last_seq, bytes(token.head))
    if not heads:
        raise NoContractError(f"no asset of this ledger is on the chain at {chain.name}")
    return heads
