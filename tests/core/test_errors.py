"""A refusal carries its rule, and says the same word everywhere."""

from __future__ import annotations

import pickle

import pytest

from ledger.errors import FieldError, LedgerError, NotFoundError, RefusedError, Rule


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_is_its_own_name(rule: Rule) -> None:
    assert rule == rule.value == rule.name == str(rule)
    assert str(RefusedError(rule, "do this")) == f"{rule.name}: do this"


def test_a_field_error_names_its_field() -> None:
    error = FieldError("amount", "must be an int")
    assert (error.rule, error.field) == (Rule.INVALID_FIELD, "amount")
    assert str(error) == "INVALID_FIELD: amount: must be an int"
    assert isinstance(error, RefusedError)
    assert isinstance(error, LedgerError)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "error",
    [
        RefusedError(Rule.AMOUNT_ZERO, "name an amount"),
        NotFoundError(Rule.UNKNOWN_ACCOUNT, "create it"),
        FieldError("amount", "must be an int"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_survives_pickling(error: RefusedError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (made on the line itself)
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
