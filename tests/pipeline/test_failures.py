"""A stage's failure crosses to the supervisor whole; a stage that says nothing has last words."""

from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError, StorageError
from darkscan.pipeline.running.failures import StageFailure
from darkscan.pipeline.running.supervisor import Supervisor


def crossed(error: Exception, run_dir: Path) -> DarkscanError:
    StageFailure.of(error, ends_run=True).write(run_dir, "merging", 0)
    failure = StageFailure.read(run_dir, "merging", 0)
    assert failure is not None
    assert failure.ends_run
    return failure.error()


def test_an_input_error_keeps_its_file_and_its_field(tmp_path: Path) -> None:
    error = InputError("must be 3", file=Path("rig.toml"), field="motion.x")
    read = crossed(error, tmp_path)
    assert isinstance(read, InputError)
    assert (read.file, read.field, read.problem) == ("rig.toml", "motion.x", "must be 3")
    assert str(read) == str(error)


def test_a_storage_error_keeps_its_file(tmp_path: Path) -> None:
    error = StorageError(Path("scan.h5"), "No space left on device")
    read = crossed(error, tmp_path)
    assert isinstance(read, StorageError)
    assert (read.file, str(read)) == ("scan.h5", str(error))


def test_another_error_keeps_its_message_and_exit_code(tmp_path: Path) -> None:
    error = DarkscanError("the axes do not answer")
    error.exit_code = ExitCode.INCOMPLETE
    read = crossed(error, tmp_path)
    assert (str(read), read.exit_code) == ("the axes do not answer", ExitCode.INCOMPLETE)
    assert str(crossed(ValueError("no such frame"), tmp_path)) == "ValueError: no such frame"


def test_a_failure_is_read_once(tmp_path: Path) -> None:
    crossed(ValueError("a"), tmp_path)
    assert StageFailure.read(tmp_path, "merging", 0) is None


def test_the_supervisor_passes_on_what_a_stage_left(tmp_path: Path) -> None:
    """The stage finds no run; an earlier failure in its place tells whose error is raised."""
    error = InputError("has changed", file="model.onnx")
    StageFailure.of(error, ends_run=True).write(tmp_path, "merging", 0)
    with pytest.raises(InputError, match="has changed") as raised:
        supervised(tmp_path)
    assert raised.value.file == "model.onnx"


def test_a_stage_that_dies_without_a_word_has_its_last_line_of_stderr(tmp_path: Path) -> None:
    with pytest.raises(DarkscanError, match=r"merging died 1 times in a row: .*holds no run"):
        supervised(tmp_path)


def supervised(run_dir: Path) -> None:
    Supervisor(
        run_dir,
        [("merging", 0)],
        restarts=0,
        stage_timeout_s=60.0,
        on_progress=lambda _: None,
    ).run()


def test_an_exit_code_that_is_none_of_ours_is_not_believed(tmp_path: Path) -> None:
    StageFailure.of(ValueError("a"), ends_run=True).write(tmp_path, "merging", 0)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"exit_code":1', '"exit_code":99'))
    assert StageFailure.read(tmp_path, "merging", 0) is None
