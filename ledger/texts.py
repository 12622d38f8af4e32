"""Text that entries and assets carry: valid UTF-8, no NUL, bounded (design: formats, Strings)."""

from __future__ import annotations

from ledger.errors import FieldError

MAX_TEXT = 255
"""Code points in a reason, a reference, an idempotency key or an asset's name."""

MAX_SYMBOL = 64
"""Code points in a symbol."""

MAX_MEMO_BYTES = 4_096
"""UTF-8 bytes in a memo."""

_FIRST_SURROGATE, _LAST_SURROGATE = 0xD800, 0xDFFF
_LAST_CODE_POINT = chr(0x10FFFF)


def check_text(value: object, field: str, most: int = MAX_TEXT) -> str:
    """Return `value` if it is text of at most `most` code points; None counts as "".

    Raises:
        FieldError: naming `field`, for another type, a longer text, a NUL or a surrogate.
    """
    if value is None:
        return ""
    if type(value) is not str:
        raise FieldError(field, f"must be text, not {type(value).__name__}")
    if len(value) > most:
        raise FieldError(field, f"must be at most {most} code points, not {len(value)}")
    if not value.isascii():
        _encoded(value, field)
    if "\x00" in value:
        raise FieldError(field, "must not contain NUL (PostgreSQL cannot store it)")
    return value


def after_prefix(prefix: str) -> str | None:
    """Return the least text after all that begin with `prefix`, in code point order.

    None where there is none: every text that is not before the prefix begins with it. That is
    the order of UTF-8 bytes too, so both databases have it.
    """
    kept = prefix.rstrip(_LAST_CODE_POINT)
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    if following == _FIRST_SURROGATE:
        following = _LAST_SURROGATE + 1
    return kept[:-1] + chr(following)


def check_memo(value: object, field: str = "memo") -> str:
    """Return `value` if it is text of at most 4,096 bytes; None counts as "".

    Raises:
        FieldError: naming `field`.
    """
    text = check_text(value, field, MAX_MEMO_BYTES)
    size = len(_encoded(text, field))
    if size > MAX_MEMO_BYTES:
        raise FieldError(field, f"must be at most {MAX_MEMO_BYTES} bytes, not {size}")
    return text


def check_symbol(value: object, field: str = "symbol") -> str:
    """Return `value` if it can be a symbol: text of 1..64 code points.

    Raises:
        FieldError: naming `field`.
    """
    text = check_text(value, field, MAX_SYMBOL)
    if not text:
        raise FieldError(field, "must not be empty")
    return text


def _encoded(text: str, field: str) -> bytes:
    """Return the UTF-8 bytes of `text`."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise FieldError(field, "holds a lone surrogate, which UTF-8 cannot encode") from None
