import subprocess
import sys

import pytest

from darkscan.cli.main import main
from darkscan.network.complexity import measure
from darkscan.network.variants import NAMES, build


def test_every_network_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "--width", "0.125"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["network", "parameters", "MMAC", "a", "window", "MB"]
    assert [row.split()[0] for row in rows] == list(NAMES)


def test_named_networks_are_shown_once_with_what_they_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["network", "xception", "afn", "xception", "--width", "0.25"]) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["xception", "afn"]
    cost = measure(build("afn", 0.25))
    assert rows[1][1:] == [
        f"{cost.parameters:,}",
        f"{cost.macs / 1e6:,.1f}",
        f"{cost.megabytes:.2f}",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["resnet19"], "NAME: is unknown: 'resnet19'", id="unknown network"),
        pytest.param(["afn", "--width", "0"], "width: must be above 0", id="no width"),
        pytest.param(["--width", "nan"], "width: must be above 0", id="width is no number"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["network", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert told in line


def test_a_missing_extra_is_named_with_its_remedy() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from darkscan.cli.main import main; "
        "sys.exit(main(['network']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "darkscan: error: network needs torch: pip install 'darkscan[learning]'\n"
    )
