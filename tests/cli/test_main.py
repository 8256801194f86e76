"""The command line's entrance: all commands are listed, and quickly."""

import subprocess
import sys

from darkscan.cli.main import build_parser


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_list_of_commands_says_what_each_command_says_of_itself() -> None:
    assert build_parser("").format_help() == build_parser().format_help()


def test_the_list_of_commands_loads_none_of_them() -> None:
    code = """if True:
        import sys
        from darkscan.cli.main import main
        try:
            main(["--help"])
        except SystemExit:
            heavy = {"numpy", "cv2", "h5py", "onnxruntime", "pydantic"} & sys.modules.keys()
            sys.exit(", ".join(heavy) or 0)
    """
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout


def test_no_command_loads_torch_before_it_runs() -> None:
    code = """if True:
        import sys
        from darkscan.cli.main import build_parser
        build_parser()
        sys.exit("torch" in sys.modules)
    """
    assert run(code).returncode == 0
