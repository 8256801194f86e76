"""What each route answers, as its description promises."""

import gzip
import json
from typing import Any

import cv2
import httpx
import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg

from darkscan.host.store import unpack
from darkscan.pipeline.host_link.messages import News
from tests.host_examples import parcel
from tests.host_web.conftest import Served
from tests.host_web.example_server import DIED, FAILED, FINISHED, RIG, SMALL, running

SCAN = f"/api/scans/{FINISHED.scan}"


def columns(answer: httpx.Response) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and columns, read as a page reads them."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int.from_bytes(answer.content[:4], "little")
    assert (4 + length) % 8 == 0
    assert json.loads(answer.content[4 : 4 + length])["columns"]
    return unpack(answer.content)


def test_scans_are_listed_newest_first_with_what_became_of_them(client: httpx.Client) -> None:
    answer = client.get("/api/scans").json()
    states = {scan["id"]: scan["state"] for scan in answer["scans"]}
    assert states[FINISHED.scan] == "incomplete"
    assert states[FAILED.scan] == "failed"
    assert states[DIED.scan] == "died"
    assert answer["next"] is None
    finished = next(scan for scan in answer["scans"] if scan["id"] == FINISHED.scan)
    assert finished["frames"] == {"planned": 24, "mapped": 23, "quarantined": 1, "lost": 0}
    assert sum(finished["defects"].values()) == 1000
    assert finished["rig"] == RIG


def test_scans_are_listed_page_by_page(client: httpx.Client) -> None:
    whole = [scan["id"] for scan in client.get("/api/scans").json()["scans"]]
    found: list[str] = []
    before: str | None = ""
    while before is not None:
        page = client.get("/api/scans", params={"limit": 1, "before": before}).json()
        found += [scan["id"] for scan in page["scans"]]
        before = page["next"]
    assert found == whole


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "failed"}, {FAILED.scan}),
        ({"element": "small"}, {SMALL.scan}),
        ({"element": "no such plate"}, set()),
        ({"rig": "elsewhere"}, set()),
        ({"rig": RIG, "state": "died"}, {DIED.scan}),
    ],
)
def test_scans_are_chosen(client: httpx.Client, query: dict[str, str], found: set[str]) -> None:
    answer = client.get("/api/scans", params=query).json()
    assert {scan["id"] for scan in answer["scans"]} == found


def test_details_say_all_of_a_scan(client: httpx.Client) -> None:
    details = client.get(SCAN).json()
    assert details["size_mm"] == [810.0, 460.0]
    assert details["picture"]["tiles"] > 0
    assert details["picture"]["levels"] == FINISHED.pyramid.levels
    assert details["not_inspected"][0]["kind"] == "quarantined"
    assert details["totals"]["scratch"]["count"] == details["defects"]["scratch"]
    assert details["reads_recording"] is False
    assert details["progress"] is None


def test_frames_come_as_columns_and_later_only_what_is_new(client: httpx.Client) -> None:
    header, found = columns(client.get(f"{SCAN}/frames"))
    assert found["number"].tolist() == list(range(24))
    assert found["outcome"].tolist() == [0] * 23 + [1]
    assert header["reasons"][found["reason"][23]] == "failed twice: no light"
    _, later = columns(client.get(f"{SCAN}/frames", params={"after": header["revision"]}))
    assert later["number"].size == 0


def test_shapes_come_as_columns(client: httpx.Client) -> None:
    header, found = columns(client.get(f"{SCAN}/shapes"))
    assert found["points"].size == 2 * found["counts"].sum()
    assert found["frame"].size == found["kind"].size == found["width_um"].size > 900
    _, later = columns(client.get(f"{SCAN}/shapes", params={"after": header["revision"]}))
    assert later["counts"].size == 0


def test_defects_come_as_columns_and_not_again_where_they_are_known(client: httpx.Client) -> None:
    answer = client.get(f"{SCAN}/defects", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    header, found = columns(answer)
    assert found["number"].tolist() == list(range(1, 1001))
    assert found["box"].size == 4000
    assert len(header["sha256"]) == 64
    known = {"if-none-match": answer.headers["etag"]}
    again = client.get(f"{SCAN}/defects", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/api/scans/{SMALL.scan}/defects", headers=known)
    assert other.status_code == 200


def test_json_is_packed_for_those_who_unpack_it(served: Served) -> None:
    sizes = {}
    for way in ("gzip", "identity"):
        with (
            served.client(**{"accept-encoding": way}) as client,
            client.stream("GET", f"{SCAN}/map") as answer,
        ):
            sizes[way] = len(b"".join(answer.iter_raw()))
            assert ("content-encoding" in answer.headers) == (way == "gzip")
    assert sizes["gzip"] < sizes["identity"] / 3


def test_a_defect_is_told_whole_with_where_to_drive_to(client: httpx.Client) -> None:
    answer = client.get(f"{SCAN}/defects/D0001").json()
    assert answer["id"] == "D0001"
    assert answer["outline"]
    assert answer["reviews"] == []
    # The stage lies at element minus (-50, -20), and half a frame of 20.48 mm back from there.
    x, y = answer["centroid_mm"]
    assert answer["stage_mm"] == pytest.approx([x + 50 - 10.24, y + 20 - 10.24])
    left, top, width, height = answer["picture"]["box_mm"]
    assert left <= x <= left + width
    assert top <= y <= top + height


@pytest.mark.parametrize("view", ["raw", "equalized", "attention"])
def test_a_picture_of_a_defect_is_made_of_the_tiles_that_were_sent(
    client: httpx.Client, view: str
) -> None:
    answer = client.get(f"/api/scans/{SMALL.scan}/defects/D0003/picture", params={"view": view})
    assert answer.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    about = client.get(f"/api/scans/{SMALL.scan}/defects/D0003").json()["picture"]
    assert about["source"] == "tiles"
    assert [side * 0.01 for side in picture.shape[1::-1]] == pytest.approx(about["box_mm"][2:])
    assert picture.std() > 5
    assert (picture.ndim == 3) == (view == "attention")


def test_a_picture_without_pixels_is_not_there(client: httpx.Client) -> None:
    answer = client.get(f"{SCAN}/defects/D0001/picture")
    assert answer.status_code == 404
    assert "no pixels" in answer.json()["detail"]


def test_areas_map_run_and_trace_are_as_they_were_sent(client: httpx.Client) -> None:
    whole = client.get(f"{SCAN}/map")
    assert whole.content == FINISHED.map_json
    assert whole.headers["content-disposition"] == 'attachment; filename="defect-map.json"'
    assert client.get(f"{SCAN}/areas").json() == whole.json()["areas"]
    assert client.get(f"{SCAN}/run").json() == {"run": "example"}
    trace = client.get(f"{SCAN}/trace")
    assert trace.json()["traceEvents"] == []
    assert trace.headers["content-disposition"] == 'attachment; filename="trace.json"'


def test_performance_tells_each_stage(client: httpx.Client) -> None:
    answer = client.get(f"{SCAN}/performance").json()
    stages = [stage["stage"] for stage in answer["stages"]]
    assert stages == ["acquisition", "preprocessing", "classification", "merging"]
    assert answer["bottleneck"] in stages
    for stage in answer["stages"]:
        assert len(stage["working"]["edges_ms"]) == len(stage["working"]["counts"]) + 1


def test_a_tile_is_served_by_its_revision_for_ever(client: httpx.Client) -> None:
    level = FINISHED.pyramid.levels - 1
    answer = client.get(f"{SCAN}/tiles/{level}/0/0", params={"r": 1})
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    width, height = FINISHED.level_px(level)
    assert simplejpeg.decode_jpeg(answer.content, "GRAY").shape == (height, width, 1)
    other = client.get(f"{SCAN}/tiles/{level}/0/0")
    assert other.content == answer.content
    assert other.headers["cache-control"] == "no-cache"
    known = client.get(
        f"{SCAN}/tiles/{level}/0/0", headers={"if-none-match": other.headers["etag"]}
    )
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    "place",
    ["0/0/0", "23/0/0", "1/9999/0", "1/0/1048575", "24/0/0", "-1/0/0", "0/1048576/0"],
)
def test_a_tile_that_is_not_there_is_not_found_or_empty(client: httpx.Client, place: str) -> None:
    assert client.get(f"{SCAN}/tiles/{place}").status_code == 404
    empty = client.get(f"{SCAN}/tiles/{place}", params={"missing": "204"})
    inside = place not in {"24/0/0", "-1/0/0", "0/1048576/0"}
    assert empty.status_code == (204 if inside else 404)


def test_a_review_is_kept_and_listed_with_name_and_time(served: Served) -> None:
    given = {
        "defect": "D0007",
        "verdict": "confirmed",
        "kind": "dig",
        "comment": "<script>alert(1)</script> ' OR 1=1; --",
        "name": "Ada Löwe 光",
    }
    with served.client() as client:
        answer = client.post(f"{SCAN}/reviews", json=given)
        assert answer.status_code == 201
        kept = answer.json()
        assert {name: kept[name] for name in given} == given
        assert kept["at"].endswith("Z")
        assert len(kept["hash"]) == 64
        listed = client.get(f"{SCAN}/reviews").json()["reviews"]
        assert listed[-1] == kept
        assert client.get(f"{SCAN}/defects/D0007").json()["reviews"] == [kept]
        assert client.get(SCAN).json()["reviewed"] == 1
        later = client.get(f"{SCAN}/reviews", params={"after": kept["number"]})
        assert later.json() == {"reviews": []}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"verdict": "perhaps"}, "verdict"),
        ({"kind": "hole"}, "kind"),
        ({"defect": "D1"}, "defect"),
        ({"defect": "../D0001"}, "defect"),
        ({"comment": "x" * 2001}, "comment"),
        ({"comment": "a\x00b"}, "comment"),
        ({"comment": 7}, "comment"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"more": "fields"}, "more"),
    ],
)
def test_a_review_that_cannot_be_is_refused_with_its_field(
    client: httpx.Client, wrong: dict[str, object], field: str
) -> None:
    given = {"defect": "D0001", "verdict": "open", "name": "Ada", **wrong}
    answer = client.post(f"{SCAN}/reviews", json=given)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(field)
    assert "\n" not in answer.json()["detail"]


def test_a_review_of_a_defect_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    given = {"defect": "D9999", "verdict": "open", "name": "Ada"}
    assert client.post(f"{SCAN}/reviews", json=given).status_code == 404


@pytest.mark.parametrize(
    "part",
    [
        *("", "/frames", "/shapes", "/defects", "/defects/D0001", "/defects/D0001/picture"),
        *("/areas", "/map", "/run", "/trace", "/performance", "/reviews", "/tiles/1/0/0"),
    ],
)
def test_a_scan_that_is_not_kept_is_not_found(client: httpx.Client, part: str) -> None:
    answer = client.get(f"/api/scans/{'0' * 32}{part}")
    assert answer.status_code == 404
    assert answer.json()["detail"]


@pytest.mark.parametrize("part", ["/defects", "/defects/D0001", "/areas", "/map", "/run", "/trace"])
def test_what_a_failed_scan_has_not_is_not_found(client: httpx.Client, part: str) -> None:
    assert client.get(f"/api/scans/{FAILED.scan}{part}").status_code == 404


def test_a_running_scan_has_its_progress(served: Served) -> None:
    scan = running(1)
    served.store.receive(RIG, [parcel(scan.scan, scan.began())])
    served.store.hear(RIG, News(scan=scan.scan, progress=scan.progress(3)))
    with served.client() as client:
        details = client.get(f"/api/scans/{scan.scan}").json()
        figures = client.get("/metrics").text
    assert details["state"] == "running"
    assert details["progress"]["sums"]["mapped"] == 3
    assert details["progress"]["heard_s_ago"] < 15
    assert "darkscan_scans_running_count 1.0" in figures


@pytest.mark.parametrize("path", ["/", f"/scan/{'0' * 32}", "/scan/x/live", "/scan/x/performance"])
def test_every_address_of_the_page_gives_the_page(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "darkscan" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_files_of_the_page_are_packed_and_kept_for_ever(served: Served) -> None:
    with (
        served.client(**{"accept-encoding": "gzip"}) as client,
        client.stream("GET", "/assets/page-0a1b2c.js") as answer,
    ):
        packed = b"".join(answer.iter_raw())
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert len(packed) < 200
    assert gzip.decompress(packed).startswith(b"'use strict'")


def test_health_says_ok(client: httpx.Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["problems"] == []


def test_metrics_are_histograms_that_prometheus_reads(client: httpx.Client) -> None:
    client.get(f"{SCAN}/tiles/4/0/0")
    text = client.get("/metrics").text
    for name in (
        'darkscan_requests_answer_seconds_bucket{le="0.005",status="2xx",what="tiles"}',
        "darkscan_parcels_commit_seconds_count",
        "darkscan_rigs_connected_count 1.0",
        "darkscan_scans_running_count",
        "darkscan_streams_open_count 0.0",
        'darkscan_store_used_bytes{what="database"}',
        "darkscan_store_free_bytes",
    ):
        assert name in text, text


def test_only_the_head_is_sent_where_only_it_is_asked_for(client: httpx.Client) -> None:
    answer = client.head("/api/scans")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_the_description_is_served_and_lists_every_route(client: httpx.Client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert "/api/scans/{scan}/tiles/{level}/{x}/{y}" in paths
    assert len(paths) >= 18
