"""Text: valid UTF-8, no NUL, bounded; the error names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import FieldError
from ledger.texts import after_prefix, check_memo, check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("check", "value", "stored"),
    [
        (check_text, None, ""),
        (check_text, "", ""),
        (check_text, "x" * 255, "x" * 255),
        (check_text, "💰" * 255, "💰" * 255),
        (check_text, "cafe\u0301\n\t", "cafe\u0301\n\t"),
        (check_memo, None, ""),
        (check_memo, "x" * 4096, "x" * 4096),
        (check_memo, "💰" * 1024, "💰" * 1024),
        (check_symbol, "S", "S"),
        (check_symbol, "💰" * 64, "💰" * 64),
    ],
)
def test_text_is_kept_as_it_is(
    check: Callable[[object, str], str], value: object, stored: str
) -> None:
    assert check(value, "reason") == stored


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (check_text, "x" * 256),
        (check_text, "💰" * 256),
        (check_text, "a\x00"),
        (check_text, "\ud83d"),
        (check_text, b"bytes"),
        (check_text, 1),
        (check_text, True),
        (check_memo, "x" * 4097),
        (check_memo, "💰" * 1024 + "x"),
        (check_memo, "é" * 2049),
        (check_memo, "a\x00"),
        (check_memo, "\udc00"),
        (check_memo, 1.5),
        (check_symbol, ""),
        (check_symbol, None),
        (check_symbol, "x" * 65),
        (check_symbol, "\x00"),
    ],
)
def test_other_text_is_refused_by_field(check: Callable[[object, str], str], value: object) -> None:
    with pytest.raises(FieldError) as refusal:
        check(value, "reference_id")
    assert refusal.value.field == "reference_id"


TEXTS = st.text(st.sampled_from("ab\ud7ff\ue000\U0010ffff"), max_size=4)


@given(prefix=TEXTS, texts=st.lists(TEXTS | st.text(max_size=4)))
@example(prefix="\ud7ff", texts=["\ud7ff\U0010ffff", "\ue000"])
@example(prefix="a\U0010ffff", texts=["a\U0010ffffb", "b"])
def test_a_prefix_is_a_range(prefix: str, texts: list[str]) -> None:
    end = after_prefix(prefix)
    for text in texts:
        within = prefix <= text and (end is None or text < end)
        assert within == text.startswith(prefix)
        if end is not None:  # the order that both databases have
            assert (text < end) == (text.encode() < end.encode())
