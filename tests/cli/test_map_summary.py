"""What the terminal says of a map: after a run, and by ``darkscan info``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkscan.cli.main import main
from darkscan.cli.replay import summary
from darkscan.pipeline.core.defect_map import DefectMap, to_json
from darkscan.pipeline.core.frame_results import FrameResult, Traces
from darkscan.pipeline.core.map_reading import read_map
from darkscan.stages.merging import build_map
from tests.mapping.hand_made import frames_of, inspected, lines_of, lost, result, scan_info

OLD = Path(__file__).parents[1] / "pipeline" / "defect-map-version-2.json"
LENGTHS_PX = range(100, 1300, 100)


def scratched() -> DefectMap:
    """Twelve scratches of 1 to 12 mm in the first frame, the fourth frame lost."""
    frames = frames_of(2, 2)
    lines = lines_of(
        *[[(200.0, 300 + 0.4 * long), (200.0 + long, 300 + 0.4 * long)] for long in LENGTHS_PX]
    )
    results: list[FrameResult] = [result(frame, [(896, 896)]) for frame in frames[:2]]
    results[0] = result(frames[0], [(256, 128)]).model_copy(update={"traces": Traces(lines=lines)})
    results[2:] = [result(frames[2])]
    return build_map(inspected(results, [lost(frames[3])]))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "defect-map.json").write_text(to_json(scratched()))
    return tmp_path


def info(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main(["info", *map(str, words)]) == 0
    return capsys.readouterr().out


def described(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(info(capsys, path, "--json"))
    return description


def test_a_runs_summary_says_what_was_found_and_what_was_not_seen(out: Path) -> None:
    lines = summary(read_map(out), out).splitlines()
    assert lines[0] == "12 scratches, 78.00 mm, the longest 12.00 mm"
    assert lines[1] == "1 area without a defect: worth a look by eye"
    assert lines[2].endswith("3 of 4 frames mapped, 0 quarantined, 1 lost")
    assert lines[3].endswith("mm2, lost: the camera never delivered it")
    assert str(out / "defect-map.json") in lines[4]


def test_a_clean_map_says_so(tmp_path: Path) -> None:
    clean = build_map(inspected(result(frame) for frame in frames_of(2, 2)))
    lines = summary(clean, tmp_path).splitlines()
    assert lines[0] == "no scratches"
    assert lines[1].startswith("100.00 % of the region inspected; 4 of 4 frames mapped")


def test_info_lists_the_ten_longest_scratches(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, description = read_map(out), described(capsys, out)
    longest = description["longest_scratches"]
    assert [round(each["length_mm"]) for each in longest] == list(range(12, 2, -1))
    of_id = {defect.id: defect for defect in document.defects}
    for each in longest:
        defect = of_id[each["id"]]
        assert each["width_um"] == defect.width_um
        assert tuple(each["centroid_mm"]) == defect.centroid_mm
    text = info(capsys, out)
    shown = [line.split()[:2] for line in text.splitlines() if line.startswith("D")]
    assert shown == [[each["id"], f"{each['length_mm']:.2f}"] for each in longest]


def test_info_sums_the_map_up(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, description = read_map(out), described(capsys, out)
    kinds, areas = description["kinds"], description["areas"]
    assert kinds["scratch"] == {"count": 12, "length_mm": 78.0, "longest_mm": 12.0}
    assert kinds["fibre"]["count"] == 0
    assert kinds["dig"] is None, "a model that does not tell kinds looks for no spots"
    assert description["worst_concentration"]["length_mm"] > 12
    assert [area["id"] for area in areas["without_defect"]] == [
        area.id for area in document.areas if not area.defects
    ]
    assert areas["area_mm2"] == document.totals.areas_mm2
    text = info(capsys, out / "defect-map.json")
    assert "12 scratches, 78.00 mm, the longest 12.00 mm\nno fibres" in text
    assert "not looked for by this model: digs, grains of dust" in text
    assert "most together: " in text


def test_what_was_not_inspected_is_summed_up_by_kind_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = frames_of(3, 1)
    scan = scan_info(element_size_mm=(56.32, 20.48), region_mm=(0.0, 0.0, 56.32, 20.48))
    document = build_map(
        inspected([result(frames[1])], [lost(frames[0]), lost(frames[2])], scan=scan)
    )
    (tmp_path / "defect-map.json").write_text(to_json(document))
    coverage = described(capsys, tmp_path)["coverage"]
    (part,) = coverage["not_inspected"]
    assert (part["kind"], part["parts"], part["frames"]) == ("lost", 2, [0, 2])
    blind = [area.area_mm2 for area in document.coverage.not_inspected]
    assert part["area_mm2"] == pytest.approx(sum(blind))
    assert not coverage["complete"]


def test_maps_of_version_2_are_summed_up_too(capsys: pytest.CaptureFixture[str]) -> None:
    text = info(capsys, OLD)
    assert "4 scratches, 11.67 mm, the longest 4.20 mm" in text
    assert "reaches what was not inspected" in text
    lengths = [each["length_mm"] for each in described(capsys, OLD)["longest_scratches"]]
    assert np.allclose(sorted(lengths), [1.5063, 2.559, 3.4, 4.2])


def test_what_is_no_map_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(tmp_path)]) == 2
    assert "defect-map.json: there is no such map" in capsys.readouterr().err
    (tmp_path / "scan.json").write_text('{"format": "darkscan-scan"}')
    assert main(["info", str(tmp_path / "scan.json")]) == 2
    assert "scan.json: is no defect map" in capsys.readouterr().err
