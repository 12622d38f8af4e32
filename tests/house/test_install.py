"""Who installs the package gets all of it: the wheel works away from the checkout.

The wheel is installed into an empty environment. Its dependencies are not downloaded again: the
environment sees, of everything that is installed here, only what the wheel's own metadata requires,
so a dependency that is missing there, or that only developers have, is missed here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]


def _run(*command: str | Path, cwd: Path) -> str:
    """Run a command as a stranger would: nothing of the checkout in the environment."""
    kept = {name: it for name, it in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=kept, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _required(of: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in of.requires or []:
        requirement = Requirement(text)
        names = extras or {""}
        if not requirement.marker or any(
            requirement.marker.evaluate({"extra": it}) for it in names
        ):
            yield requirement


def _closure(wheel: Distribution) -> dict[str, Distribution]:
    """Return what the wheel needs, by name; an installed version outside a range is an error."""
    found: dict[str, Distribution] = {}
    todo = list(_required(wheel, frozenset()))
    while todo:
        requirement = todo.pop()
        installed = distribution(requirement.name)
        assert requirement.specifier.contains(installed.version, prereleases=True), str(requirement)
        name = canonicalize_name(requirement.name)
        if name not in found or requirement.extras:
            found[name] = installed
            todo += _required(installed, frozenset(requirement.extras))
    return found


def _tops(installed: Distribution) -> set[Path]:
    """Return the files and folders that a distribution put next to each other."""
    files = (it for it in installed.files or [] if ".." not in it.parts)
    return {Path(str(installed.locate_file(it.parts[0]))) for it in files}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheel and what it needs in it."""
    folder = tmp_path_factory.mktemp("install")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = folder / "wheels"
    offline = ["--no-deps", "--no-index"]
    _run(*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, ROOT, cwd=folder)
    (wheel,) = wheels.glob("*.whl")
    home = folder / "environment"
    venv.create(home, symlinks=True)
    _run(*pip, "--python", home / "bin" / "python", "install", *offline, wheel, cwd=folder)
    (site,) = home.glob("lib/python3*/site-packages")
    (metadata,) = site.glob("evm_ledger-*.dist-info")
    for installed in _closure(PathDistribution(metadata)).values():
        for top in _tops(installed):
            if not (site / top.name).exists() and top.exists():
                (site / top.name).symlink_to(top)
    return home


@pytest.mark.parametrize(
    "command",
    [
        'python -c "from ledger import Ledger"',
        "evm-ledger --help",
    ],
)
def test_it_works_away_from_the_checkout(environment: Path, tmp_path: Path, command: str) -> None:
    assert str(ROOT) not in _run("sh", "-c", f"{environment}/bin/{command}", cwd=tmp_path)


def test_it_is_the_wheel_that_works(environment: Path, tmp_path: Path) -> None:
    show = "import ledger, bridge; print(ledger.__file__, bridge.__file__)"
    for file in _run(environment / "bin" / "python", "-c", show, cwd=tmp_path).split():
        assert file.startswith(str(environment))


def test_everything_the_package_reads_travels_in_it(environment: Path) -> None:
    (site,) = environment.glob("lib/python3*/site-packages")
    tracked = ["migrations", "ledger", "bridge"]
    for top in tracked:
        inside = site / ("ledger/migrations" if top == "migrations" else top)
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert (inside / path.relative_to(ROOT / top)).exists(), (
                    f"{path} is not in the wheel"
                )


def test_an_empty_ledger_can_be_made_there(environment: Path, tmp_path: Path) -> None:
    _run(environment / "bin" / "evm-ledger", "init", cwd=tmp_path)
    assert (tmp_path / "ledger.db").exists()
