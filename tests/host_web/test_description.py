"""The description of the interface is the published one, whole, and true."""

import json
from typing import Any

import httpx
import jsonschema
import pytest

from darkscan.host.web import description
from tests.conftest import REPOSITORY
from tests.host_web.example_server import FINISHED

PUBLISHED = REPOSITORY / "docs" / "reference" / "host-api.openapi.json"
SCAN = f"/api/scans/{FINISHED.scan}"


def test_the_published_description_is_current() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == description(), "run `make schema`"


def routes() -> list[Any]:
    content = json.loads(description())
    return [
        pytest.param(route, id=f"{method} {path}")
        for path, methods in content["paths"].items()
        for method, route in methods.items()
    ]


@pytest.mark.parametrize("route", routes())
def test_every_route_says_what_it_takes_and_gives(route: dict[str, Any]) -> None:
    assert len(route["description"]) > 20
    good = [code for code in route["responses"] if code.startswith("2")]
    assert good
    for code in good:
        content = route["responses"][code].get("content", {})
        assert code == "204" or content
        for kind, each in content.items():
            assert kind != "application/json" or each.get("schema") != {}


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/api/scans", "/api/scans"),
        (SCAN, "/api/scans/{scan}"),
        (f"{SCAN}/defects/D0001", "/api/scans/{scan}/defects/{defect}"),
        (f"{SCAN}/performance", "/api/scans/{scan}/performance"),
        (f"{SCAN}/reviews", "/api/scans/{scan}/reviews"),
        ("/api/session", "/api/session"),
        ("/healthz", "/healthz"),
    ],
)
def test_answers_are_as_described(client: httpx.Client, path: str, described: str) -> None:
    content = json.loads(description())
    answer = content["paths"][described]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    jsonschema.validate(client.get(path).json(), {**schema, "components": content["components"]})
