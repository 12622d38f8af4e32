"""What docs/api.md says, against what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bridge.api.problems import CODES, STATUS_OF, Code
from tests.api.browsing import NAMES
from tests.api.screenshots import LEFT_OUT, SCHEMES, SCREENS, picture
from tests.api.test_access import endpoints

if TYPE_CHECKING:
    from tests.api.server import ApiServer

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_endpoint_is_listed_with_its_scope(server: ApiServer) -> None:
    listed = dict(re.findall(r"^\| `(\w+ /\S*)` \| .+ \| (\w+) \| [\w ]+ \|$", PAGE, re.MULTILINE))
    scopes = {
        f"{it.method} {it.route.replace(':path', '')}": it.scope for it in endpoints("0x", "0x")
    }
    described = {
        f"{method.upper()} {path}"
        for path, methods in server.app.openapi()["paths"].items()
        for method in methods
    }
    assert listed == {name: scopes.get(name, "none") for name in described}


def test_every_code_is_listed_with_its_status() -> None:
    listed: dict[str, int] = {}
    for status, codes in re.findall(r"^\| (\d{3}) \| (.+?) \| ", PAGE, re.MULTILINE):
        listed |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", codes), int(status))
    rules = {str(rule): status for rule, status in STATUS_OF.items()}
    own = {code: status for status, codes in CODES.items() for code in codes}
    assert own.keys() == set(get_args(Code))
    assert {code: listed.get(code) for code in own} == own
    assert {name: listed.get(name, 409) for name in rules} == rules
    assert listed.keys() <= rules.keys() | set(get_args(Code))


def test_every_page_has_its_pictures() -> None:
    for name in set(NAMES) - LEFT_OUT:
        for screen in SCREENS:
            for scheme in SCHEMES:
                assert picture(name, screen, scheme).read_bytes()[:2] == b"\xff\xd8"
