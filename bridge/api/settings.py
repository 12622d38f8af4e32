"""What whoever runs the server decides."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import FieldError


@dataclass(frozen=True, slots=True)
class Settings:
    """How the API behaves.

    Raises:
        FieldError: naming what is out of range.
    """

    open_reads: bool = False
    """Whether reading needs no key. Writing always needs one."""
    rate: float = 100.0
    """Requests a second that one key (or, without a key, one host) may make on average."""
    burst: int = 200
    """Requests that it may make at once."""
    max_body: int = 1 << 20
    """Bytes of a request's body."""
    max_writes: int = 80
    """Writes under way at once; one more is told to come back (503)."""
    threads: int = 96
    """Requests that work at once, more than `max_writes`: reads go on while writes wait."""
    poll: float = 0.5
    """Seconds between two looks for changes, where somebody listens."""
    max_listeners: int = 100
    """Streams of changes at once; one more is told to come back (503)."""
    allowed_hosts: frozenset[str] | None = None
    """Names that a `Host` header may have, in lower case and without a port; None for any."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("rate", 0.001, 1e6),
            ("burst", 1, 1_000_000),
            ("max_body", 1_024, 1 << 30),
            ("max_writes", 1, 100_000),
            ("threads", 1, 1_000),
            ("poll", 0.01, 60),
            ("max_listeners", 1, 100_000),
        ):
            if not least <= getattr(self, name) <= most:
                raise FieldError(name, f"must be within {least} .. {most}")
        if self.max_writes >= self.threads:
            raise FieldError("max_writes", "must be below the threads: reads need some")

    @property
    def listeners_each(self) -> int:
        """Streams that one key has at once, or one host without a key: a quarter of them all."""
        return max(1, self.max_listeners // 4)
