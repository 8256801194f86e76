"""The model files that backends are tried with."""

from pathlib import Path

import pytest

from tests.inference.models import small_dense


@pytest.fixture(scope="session")
def dense_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dense(tmp_path_factory.mktemp("model") / "dense.onnx")
