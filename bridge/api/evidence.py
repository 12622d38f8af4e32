"""Proofs over HTTP: the files that `evm-ledger check` reads."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from bridge.api.guards import Api, Reader
from bridge.api.problems import problems
from bridge.api.reads import SymbolQuery
from bridge.api.shapes import AnyHash
from bridge.proof_files import dump_proof
from bridge.proving import BalanceTree, prove_consistency, prove_entry
from ledger import Hash32

router = APIRouter(prefix="/v1/proofs", tags=["proofs"])

_JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}

Seal = Annotated[int | None, Query(ge=1, le=2**62)]


@router.get(
    "/entries/{entry_id}", response_class=Response, responses={**_JSON, **problems(404, 409)}
)
def entry_proof(
    api: Api, caller: Reader, entry_id: Annotated[AnyHash, Path()], seal: Seal = None
) -> Response:
    """The proof that the journal has an entry."""
    entry = api.ledger.entry(Hash32.parse(entry_id, "entry_id"))
    caller.check_any(entry.from_account, entry.to_account)
    return _file(dump_proof(prove_entry(api.ledger, entry.id, seal=seal)))


@router.get("/balances", response_class=Response, responses={**_JSON, **problems(404, 409)})
def balance_proof(
    api: Api,
    caller: Reader,
    account: Annotated[str, Query(min_length=1, max_length=255)],
    symbol: SymbolQuery = None,
    seal: Seal = None,
) -> Response:
    """The proof of what an account had right after a seal's batch."""
    caller.check_account(account)
    tree = BalanceTree(api.ledger, symbol, seal=seal)
    return _file(dump_proof(tree.prove(account)))


@router.get("/consistency", response_class=Response, responses={**_JSON, **problems(404, 409)})
def consistency_proof(
    api: Api,
    _: Reader,
    old_seal: Annotated[int, Query(ge=1, le=2**62)],
    new_seal: Seal = None,
    symbol: SymbolQuery = None,
) -> Response:
    """The proof that an asset's journal only grew from one seal to another."""
    return _file(dump_proof(prove_consistency(api.ledger, old_seal, new_seal, symbol)))


def _file(content: bytes) -> Response:
    """Return a proof as the file that it is."""
    return Response(content, media_type="application/json")
