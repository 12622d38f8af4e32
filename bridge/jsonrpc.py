"""JSON-RPC with one node: the only module that knows web3."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast
from urllib.parse import urlsplit

from bridge.errors import NoAnswerError, RpcError
from bridge.strict import MAX_RECURSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from web3.types import RPCEndpoint

T = TypeVar("T")

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class JsonRpc:
    """A connection to whoever answers JSON-RPC at a URL; what fails is a ChainError."""

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare to speak to `url`; `timeout` (seconds) is for each request.

        Raises:
            NoAnswerError: that is no http or https URL.
        """
        # Half a second to import: whoever speaks to no node does not wait for it.
        from requests import Session  # noqa: PLC0415 (see above)
        from web3 import HTTPProvider  # noqa: PLC0415 (see above)

        # Providers put keys into the path, the query and the user name: none of it is ever shown.
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:  # a port that is no number, a bracket without the other
            raise NoAnswerError("the RPC URL has no host and port that can be read") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NoAnswerError("the RPC URL must start with http:// or https:// and name a host")
        self.name = f"{parts.scheme}://{parts.hostname}{port}"
        self._session = Session()
        if parts.hostname in _LOOPBACK:
            self._session.trust_env = False  # no proxy stands between us and this machine
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout},
            session=self._session,
            exception_retry_configuration=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def request(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 (JSON is anything)
        """Return the result of a JSON-RPC call.

        Raises:
            NoAnswerError: no answer, or one that is not JSON-RPC.
            RpcError: the node's own error.
        """
        limit = sys.getrecursionlimit()
        try:
            sys.setrecursionlimit(min(limit, MAX_RECURSION))  # see `bridge.strict.load_json`
            answer: Any = self._provider.make_request(cast("RPCEndpoint", method), list(parameters))
        except OSError as error:  # every error of the HTTP library is one
            reason = type(error).__name__
            raise NoAnswerError(
                f"{self.name} does not answer ({reason}): is the node up?"
            ) from None
        except (ValueError, TypeError, RecursionError):
            answer = None
        finally:
            sys.setrecursionlimit(limit)
        if not isinstance(answer, dict) or ("result" in answer) == ("error" in answer):
            raise NoAnswerError(f"{self.name} does not answer in JSON-RPC: is that a node's URL?")
        if "error" in answer:
            raise self._error(method, answer["error"])
        return answer["result"]

    def _error(self, method: str, error: object) -> RpcError:
        """Return the error that was answered."""
        if not isinstance(error, dict):
            return RpcError(method, 0, json.dumps(error)[:200])
        found, revert = self.revert_data(error), b""
        if isinstance(found, str) and found.startswith("0x"):
            with suppress(ValueError):
                revert = bytes.fromhex(found[2:])
        code = error.get("code")
        message = str(error.get("message"))
        return RpcError(method, code if isinstance(code, int) else 0, message, revert)

    # --- what is in an answer ---

    def revert_data(self, error: Mapping[str, Any]) -> object:
        """Return the data of an error: what a contract reverted with, as hex."""
        return error.get("data")

    def parsed(self, what: str, parse: Callable[[], T]) -> T:
        """Return what `parse` makes of an answer; ChainError if the answer is malformed."""
        try:
            return parse()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NoAnswerError(
                f"{self.name} returned {what} that is malformed ({error!r})"
            ) from None

    def quantity(self, found: object) -> int:
        """Return a number in an answer."""
        return self.parsed("a number", lambda: int(str(found), 16))

    def data(self, found: object) -> bytes:
        """Return bytes in an answer."""
        return self.parsed("data", lambda: bytes.fromhex(str(found)[2:]))


def to_hex(data: bytes) -> str:
    """Return `data` as JSON-RPC has it."""
    return "0x" + data.hex()
