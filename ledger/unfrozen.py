"""Frozen values at the price of ordinary ones, for the thousands that one call gives back."""

from __future__ import annotations

from dataclasses import MISSING, field, fields, make_dataclass
from typing import TypeVar, cast

T = TypeVar("T")


def quick(kind: type[T]) -> type[T]:
    """Return what makes values of `kind`, a frozen dataclass with slots, called as `kind` is.

    A frozen dataclass sets each field by `object.__setattr__`, which is six times slower than an
    ordinary assignment. So the value begins as one of a class that has the same slots and is not
    frozen, and becomes one of `kind` when they are all set: nobody sees it before.
    """

    def become(self: object) -> None:
        self.__class__ = kind

    draft = make_dataclass(
        kind.__name__,
        [(f.name, f.type, field(default=f.default)) for f in fields(kind)],  # type: ignore[arg-type]  # any dataclass
        namespace={"__post_init__": become},
        slots=True,
    )
    if any(f.default_factory is not MISSING for f in fields(kind)):  # type: ignore[arg-type]  # any dataclass
        raise TypeError(f"{kind.__name__} makes defaults of its own")
    return cast("type[T]", draft)
