"""The repository is fit to be read by strangers: no traces of a machine, one version, a lock."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# In pieces, so that this file is not one of those it looks for.
_TRACES: Final = re.compile(
    rb"(?:^|[\s\"'`=(:])/(?:work|root|Users|home/[a-z]+)/"
    rb"|registry\.npm" + rb"js\.|pythonhosted" + rb"\.org|pypi" + rb"\.org/simple"
    rb"|https?://[a-z0-9.-]*(?:artifactory|nexus|mirror|proxy)[a-z0-9.-]*[/:]",
    re.MULTILINE,
)


def _tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 (git is where the reader's PATH has it)
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    return [
        path for name in listing.split(b"\0")[:-1] if (path := ROOT / os.fsdecode(name)).is_file()
    ]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): trace[0].decode()
        for path in _tracked()
        if (trace := _TRACES.search(path.read_bytes()))
    }
    assert found == {}


def test_the_changelog_has_the_version() -> None:
    version = re.escape(PROJECT["project"]["version"])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*(?<![\d.]){version}(?![\d.])", changelog, re.MULTILINE)


def test_every_dependency_has_a_range_and_its_locked_version_is_in_it() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split(";")[0].strip().split("==") for line in lines if "==" in line)
    locked = dict(pin for pin in pins if len(pin) == 2)
    groups = PROJECT["dependency-groups"].values()
    for text in [*PROJECT["project"]["dependencies"], *(it for group in groups for it in group)]:
        requirement = Requirement(text)
        assert ">=" in str(requirement.specifier), f"{text}: from which version on does it work?"
        assert requirement.specifier.contains(locked[requirement.name]), f"{text}: run `make lock`"


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    packages = (it for it in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    typed = [it for it in packages if (ROOT / it / "__init__.py").exists()]
    assert [it for it in typed if not (ROOT / it / "py.typed").exists()] == []
