"""The front doors are complete, sorted, and every name of theirs is used with its types."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bridge
import bridge.errors
import ledger
import ledger.errors

if TYPE_CHECKING:
    from types import ModuleType

PACKAGES = pytest.mark.parametrize("package", [ledger, bridge])


def used() -> set[str]:
    """Return every name and attribute in the file that mypy checks."""
    tree = ast.parse(Path(__file__).with_name("api.py").read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


@PACKAGES
def test_every_public_name_is_type_checked(package: ModuleType) -> None:
    assert set(package.__all__) - used() == set()


@PACKAGES
def test_the_front_door_lists_what_it_imports_and_nothing_else(package: ModuleType) -> None:
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    imported = {
        alias.name for node in imports if node.module != "__future__" for alias in node.names
    }
    assert set(package.__all__) == imported
    assert len(package.__all__) == len(imported)


@PACKAGES
def test_every_error_is_at_the_front_door(package: ModuleType) -> None:
    errors = vars(package.errors)
    raised = {
        name for name, it in errors.items() if isinstance(it, type) and issubclass(it, Exception)
    }
    own = {name for name in raised if errors[name].__module__ == f"{package.__name__}.errors"}
    assert own - set(package.__all__) == set()
