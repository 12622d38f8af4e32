"""A database URL that is wrong is refused by name, and its password is never repeated."""

from __future__ import annotations

import pytest

from ledger import DatabaseFileError, FieldError, Ledger, LedgerError


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("nonsense", FieldError),
        ("", FieldError),
        ("sqlite://", FieldError),
        ("sqlite:///:memory:", FieldError),
        ("mysql://u:hunter2@127.0.0.1/ledger", FieldError),
        ("postgresql://u:hunter2@127.0.0.1:port/ledger", FieldError),
        ("u:hunter2@127.0.0.1", FieldError),
        ("postgresql://u:hunter2@127.0.0.1:1/ledger", DatabaseFileError),
    ],
)
def test_a_wrong_url_is_refused(url: str, refused: type[LedgerError]) -> None:
    for way in (Ledger.open, Ledger.create):
        with pytest.raises(refused) as error:
            way(url)
        assert "hunter2" not in str(error.value)
        assert "\n" not in str(error.value)
