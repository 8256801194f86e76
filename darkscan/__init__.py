"""Finds weak scratches on large optics while a dark-field instrument scans them."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

# ONNX Runtime and OpenVINO report their use to their makers over the network, and leave an
# identity in the home folder, unless they are told not to before they are loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

try:
    __version__ = version("darkscan")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "unknown"
