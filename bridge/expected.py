"""Heads from outside the database: a literal, an export, a signed checkpoint, the chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bridge.chain import Chain
from bridge.checkpoint import read_checkpoint
from bridge.errors import BridgeError, NoContractError
from bridge.manifest import read_manifest
from bridge.tokens import read_token
from ledger.errors import FieldError
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.checkpoint import ExpectedHeads
    from ledger import Ledger


def expected_heads(ledger: Ledger, sources: Iterable[str], signer: str | None) -> ExpectedHeads:
    """Return the heads that `sources` name; the highest seq counts where two name one asset.

    A source is `SYMBOL:SEQ:0xHEAD`, the folder or manifest.json of an export, a checkpoint file
    signed by `signer`, or the http(s) URL of a node.

    Raises:
        FieldError: a source is none of these.
        ExportFileError, ChainError: the file or the node does not give a head.
    """
    heads: ExpectedHeads = {}
    for source in sources:
        for symbol, head in _heads(ledger, source, signer).items():
            if head[0] >= heads.get(symbol, (0, b""))[0]:
                heads[symbol] = head
    return heads


def _heads(ledger: Ledger, source: str, signer: str | None) -> ExpectedHeads:
    """Return the heads of one source."""
    if source.startswith(("http://", "https://")):
        return _from_chain(ledger, source)
    path = Path(source)
    if path.is_dir() or path.name == "manifest.json":
        return _from_export(ledger, path if path.is_dir() else path.parent)
    if path.is_file():
        if signer is None:
            raise FieldError("signer", f"say who must have signed {source}: --signer ADDRESS")
        wallet = Address.parse(signer, "signer")
        return read_checkpoint(path, ledger.identity.ledger_id, wallet)
    symbol, _, rest = source.rpartition(":")[0].rpartition(":")
    if not symbol or not rest.isascii() or not rest.isdigit():
        raise FieldError(
            "expect-head", f"{source!r} is no SYMBOL:SEQ:0xHEAD, no export, no checkpoint, no URL"
        )
    head = Hash32.parse(source.rpartition(":")[2], "expect-head")
    return {symbol: (int(rest), bytes(head))}


def _from_export(ledger: Ledger, folder: Path) -> ExpectedHeads:
    """Return the heads that an export's manifest states."""
    manifest = read_manifest(folder)
    if manifest.ledger_id != ledger.identity.ledger_id:
        raise BridgeError(f"{folder} is an export of another ledger, {manifest.ledger_id}")
    return {a.asset.symbol: (a.entries, bytes(a.head)) for a in manifest.assets}


def _from_chain(ledger: Ledger, url: str) -> ExpectedHeads:
    """Return the heads that the token contracts keep; assets that are not there have none."""
    heads: ExpectedHeads = {}
    with Chain.connect(url) as chain:
        block = chain.block()
        for asset in ledger.assets():
            try:
                token = read_token(chain, ledger.identity, asset, block)
            except NoContractError:
                continue
            heads[asset.symbol] = (token.last_seq, bytes(token.head))
    if not heads:
        raise NoContractError(f"no asset of this ledger is on the chain at {url}")
    return heads
