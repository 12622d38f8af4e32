"""Whether the server is well, for those who run it: health, readiness, metrics."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from bridge.api.guards import Api, Reader
from bridge.api.problems import Problem, problems
from bridge.api.working import Worked
from ledger import LedgerError

router = APIRouter(tags=["operation"], route_class=Worked)

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """What is counted, in a registry of its own: two apps in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "evm_ledger_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "evm_ledger_request_seconds",
            "How long an answer took.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.writes = Gauge(
            "evm_ledger_writes_under_way", "Writes that wait or work.", registry=self.registry
        )
        self.entries = Gauge(
            "evm_ledger_journal_entries",
            "Entries in an asset's journal.",
            ("asset",),
            registry=self.registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request by its route, never by its path: paths have accounts in them."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


@router.get("/healthz", responses=problems())
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=problems())
def readyz(api: Api) -> dict[str, str]:
    """The database answers, and the server is not about to end."""
    if api.stopping:
        raise Problem(503, "OVERLOADED", "the server is ending", headers={"Retry-After": "1"})
    try:
        api.ledger.assets()
    except (SQLAlchemyError, LedgerError):
        headers = {"Retry-After": "1"}
        raise Problem(503, "BUSY", "the database does not answer", headers=headers) from None
    return {"status": "ready"}


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}}, **problems()},
    response_class=Response,
)
def metrics(request: Request, api: Api, caller: Reader) -> Response:
    """Figures for Prometheus."""
    caller.check_everything()
    found: Any = request.app.state.metrics
    found.writes.set(api.writes)
    for asset in api.ledger.assets():
        found.entries.labels(asset.symbol).set(api.ledger.head(asset.symbol).seq)
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
