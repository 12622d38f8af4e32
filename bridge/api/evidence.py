"""Proofs over HTTP: the files that `evm-ledger check` reads."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from bridge.api.guards import Api, Reader
from bridge.api.problems import Problem, problems
from bridge.api.reads import SymbolQuery
from bridge.api.shapes import AccountText, AnyHash
from bridge.api.working import Lasting
from bridge.proof_files import dump_proof
from bridge.proving import prove_consistency, prove_entry
from ledger import Asset, Hash32, Ledger, SealedBatch

router = APIRouter(prefix="/v1/proofs", tags=["proofs"], route_class=Lasting)

_JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}

Seal = Annotated[int | None, Query(ge=1, lt=2**62)]


@router.get(
    "/entries/{entry_id}", response_class=Response, responses={**_JSON, **problems(404, 409)}
)
def entry_proof(
    api: Api, caller: Reader, entry_id: Annotated[AnyHash, Path()], seal: Seal = None
) -> Response:
    """The proof that the journal has an entry."""
    entry = api.ledger.entry(Hash32.parse(entry_id, "entry_id"))
    caller.check_any(entry.from_account, entry.to_account)
    _check_seal(api.ledger, seal)
    return _file(dump_proof(prove_entry(api.ledger, entry.id, seal=seal)))


@router.get("/balances", response_class=Response, responses={**_JSON, **problems(404, 409)})
def balance_proof(
    api: Api,
    caller: Reader,
    account: Annotated[AccountText, Query()],
    symbol: SymbolQuery = None,
    seal: Seal = None,
) -> Response:
    """The proof of what an account had right after a seal's batch."""
    caller.check_account(account)
    ledger = api.ledger
    asset = ledger.asset(symbol)
    own = ledger.account(account).account_id
    batch = _batch_until(ledger, asset, seal)
    if not ledger.balance_at(own, batch.batch.last_seq, asset.symbol):
        detail = f"it had no {asset.symbol} after batch {batch.batch.number}: nothing to prove"
        raise Problem(404, "NOT_FOUND", detail)
    tree = api.trees.after(ledger, asset, batch)
    return _file(dump_proof(tree.prove(own, seal=seal)))


@router.get("/consistency", response_class=Response, responses={**_JSON, **problems(404, 409)})
def consistency_proof(
    api: Api,
    _: Reader,
    old_seal: Annotated[int, Query(ge=1, lt=2**62)],
    new_seal: Seal = None,
    symbol: SymbolQuery = None,
) -> Response:
    """The proof that an asset's journal only grew from one seal to another."""
    _check_seal(api.ledger, old_seal)
    _check_seal(api.ledger, new_seal)
    return _file(dump_proof(prove_consistency(api.ledger, old_seal, new_seal, symbol)))


def _check_seal(ledger: Ledger, number: int | None) -> None:
    """Refuse a seal that is not there. Raises Problem."""
    if number is not None and number > ledger.last_seal():
        raise Problem(404, "NOT_FOUND", f"there is no seal {number} yet")


def _batch_until(ledger: Ledger, asset: Asset, seal: int | None) -> SealedBatch:
    """Return the last batch of an asset, up to `seal` if one is named. Raises Problem."""
    _check_seal(ledger, seal)
    batch = ledger.batch_until(seal or ledger.last_seal(), asset.symbol)
    if batch is None:
        until = "yet" if seal is None else f"up to seal {seal}"
        raise Problem(409, "NOT_SEALED", f"no entry of {asset.symbol} is sealed {until}")
    return batch


def _file(content: bytes) -> Response:
    """Return a proof as the file that it is."""
    return Response(content, media_type="application/json")
