"""Sliced inference by the package sahi, with our model as its detection model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels

Score = Callable[[list[Pixels]], npt.NDArray[np.float32]]
_THRESHOLD = 0.5


def sliced_inference(score: Score, window: int, stride: int) -> Callable[[Pixels], object]:
    """A function that runs sahi over a frame (H, W), windows of which ``score`` scores."""
    from sahi.models.base import DetectionModel
    from sahi.predict import get_sliced_prediction
    from sahi.prediction import ObjectPrediction

    class Windows(DetectionModel):  # type: ignore[misc]
        """A window over the threshold is an object that fills it."""

        def load_model(self) -> None:
            self.model = score

        def perform_inference(self, image: npt.NDArray[np.uint8]) -> None:
            self._original_predictions = score([np.ascontiguousarray(image[:, :, 0])])

        def _create_object_prediction_list_from_original_predictions(
            self,
            shift_amount_list: Any = None,
            full_shape_list: Any = None,
        ) -> None:
            shift = (shift_amount_list or [[0, 0]])[0]
            shape = None if full_shape_list is None else full_shape_list[0]
            self._object_prediction_list_per_image = [
                [
                    ObjectPrediction(
                        bbox=[0, 0, window, window],
                        category_id=0,
                        score=float(value),
                        category_name="scratch",
                        shift_amount=shift,
                        full_shape=shape,
                    )
                    for value in self._original_predictions
                    if value >= _THRESHOLD
                ]
            ]

    model = Windows(category_mapping={"0": "scratch"})
    overlap = 1 - stride / window

    def run(frame: Pixels) -> object:
        return get_sliced_prediction(
            np.repeat(frame[:, :, None], 3, axis=2),
            model,
            slice_height=window,
            slice_width=window,
            overlap_height_ratio=overlap,
            overlap_width_ratio=overlap,
            perform_standard_pred=False,
            verbose=0,
        )

    return run
