"""Scores by a trained network (in torch), and what its checkpoint says of it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError


class NetworkScorer:
    """A checkpoint's network, as a scorer; uses a GPU where there is one."""

    def __init__(self, file: Path, *, threads: int) -> None:
        """Loads it. Raises InputError if it is no checkpoint, or of an unknown network."""
        import torch

        from darkscan.network.training import Checkpoint

        torch.set_num_threads(threads)
        checkpoint = Checkpoint.load(file)
        options = checkpoint.options
        try:
            network = checkpoint.averaged_network()
        except InputError as error:
            field = error.field or "network"
            raise InputError(error.problem, file=error.file or file, field=field) from error
        self.network = options.network
        self._module = network.to("cuda" if torch.cuda.is_available() else "cpu")
        self.about: dict[str, Any] = {
            "checkpoint": file.name,
            "network": options.network,
            "width": options.width,
            "parameters": sum(weights.numel() for weights in network.parameters()),
            "seed": options.seed,
            "steps": checkpoint.step,
            "steps_planned": options.steps,
            "batch": options.batch,
            "samples": checkpoint.step * options.batch,
            "started_from": options.init,
            "training_data": checkpoint.data_hash,
        }

    def __call__(self, windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
        """Probabilities (n,) of windows (n, 256, 256)."""
        from darkscan.network.training import score

        logits = score(self._module, windows, len(windows), full_scale)
        # Without the overflow that 1 / (1 + exp(-x)) has for very certain backgrounds.
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float32)
