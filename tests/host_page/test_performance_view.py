"""The performance of a scan."""

import json

import pytest
from playwright.sync_api import expect

from tests.host_page.conftest import OpenPage
from tests.host_web.conftest import Served
from tests.host_web.example_server import FAILED, FINISHED

pytestmark = pytest.mark.slow


def test_waiting_and_working_of_each_stage_are_told_apart(
    keeping: Served, open_page: OpenPage
) -> None:
    page = open_page(keeping, f"/scan/{FINISHED.scan}/performance")
    stages = page.get_by_role("region", name="Waiting and working of each stage")
    expect(stages.get_by_role("heading", level=2)).to_have_count(4)
    expect(stages.get_by_role("img", name="working: median")).to_have_count(4)
    # No stage is before acquisition, so nothing waits for it.
    assert stages.get_by_role("img", name="waiting: median").count() >= 3
    with keeping.client() as client:
        answer = client.get(f"/api/scans/{FINISHED.scan}/performance").json()
    bottleneck = stages.locator(".bottleneck")
    expect(bottleneck.get_by_role("heading")).to_contain_text(answer["bottleneck"])
    expect(page.locator(".pace")).to_contain_text(answer["bottleneck"], ignore_case=True)


def test_the_trace_is_downloaded_as_the_rig_sent_it(keeping: Served, open_page: OpenPage) -> None:
    page = open_page(keeping, f"/scan/{FINISHED.scan}/performance")
    with page.expect_download() as started:
        page.get_by_role("link", name="Trace").click()
    assert "traceEvents" in json.loads(started.value.path().read_bytes())
    expect(page.get_by_text("ui.perfetto.dev")).to_be_visible()


def test_a_scan_that_failed_has_its_performance_too(keeping: Served, open_page: OpenPage) -> None:
    page = open_page(keeping, f"/scan/{FAILED.scan}/performance")
    expect(page.locator(".pace")).not_to_be_empty()
