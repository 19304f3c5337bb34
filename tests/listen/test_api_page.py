"""docs/listen-api.md says what the server does."""

import re
from pathlib import Path
from typing import get_args

import pytest

from auralign.listen import refusals
from auralign.listen.course.telemetry import Event
from auralign.listen.protocols import AnyTest
from auralign.listen.web import api, pages

PAGE = (Path(__file__).parents[2] / "docs" / "listen-api.md").read_text()
WORDS = set(re.findall(r"`([a-z_]+)`", PAGE))


def types_of_test():
    return {
        get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(AnyTest)[0])
    }


def test_every_type_of_test_has_a_row():
    rows = set(re.findall(r"^\| `([a-z0-9_]+)` \| A", PAGE, flags=re.MULTILINE))
    assert rows == types_of_test() | {"headphones"}


def test_every_kind_of_event_is_named():
    assert set(get_args(Event.model_fields["type"].annotation)) <= WORDS


def test_every_error_that_a_page_may_get_is_named():
    kinds = vars(refusals).values()
    codes = {k.code for k in kinds if isinstance(k, type) and issubclass(k, refusals.Refusal)}
    assert codes - {"refused", "conflict"} <= WORDS


PATHS = {route.path for route in (*api.router.routes, *pages.router.routes)}


@pytest.mark.parametrize("path", sorted(PATHS))
def test_every_route_is_named(path):
    beginning = path.split("{")[0].rstrip("/") or "/"
    assert f"`{beginning}" in PAGE or f" {beginning}" in PAGE
