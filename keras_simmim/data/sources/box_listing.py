"""Images and the boxes of the objects in them, as a file of annotations lists them."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.sources.check_boxes import check_boxes
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.targets.boxes import Boxes

LOGGER = logging.getLogger("keras_simmim")
SLOTS = 8  # the number of boxes is rounded up to a multiple: few shapes, few compilations


class BoxListing(NamedTuple):
    """Hold the images of a data set and their boxes.

    Attributes:
        paths: the images.
        sizes: int32 (N, 2), their heights and widths as they are stated, 0 where they are not.
        class_names: names of the classes.
        boxes: float32 (T, 4), (left, top, right, bottom) in pixels, of all images.
        labels: int32 (T,), −2 for what is neither learned nor measured.
        owners: int64 (T,), the image of each box.
        name: from a place among the boxes to what an error calls that box.
        unreadable: folders that could not be read, and the reasons.
    """

    paths: list[str]
    sizes: np.ndarray
    class_names: list[str]
    boxes: np.ndarray
    labels: np.ndarray
    owners: np.ndarray
    name: Callable[[int], str]
    unreadable: dict[str, str]

    def batched(self, plan: FilePlan, max_boxes: int | None) -> tf.data.Dataset:
        """Batch the images and their boxes.

        Args:
            plan: how the images are read, and what becomes of them.
            max_boxes: boxes given for each image, None for as many as the fullest image has.

        Raises:
            ValueError: if a box has no area, there is none at all, or no image is intact.
            TypeError: if `max_boxes` is no integer.
        """
        check_boxes(self.boxes, self.labels, self.name)
        self._warn_of_outside()
        counts = np.bincount(self.owners, minlength=len(self.paths))
        starts = np.cumsum(counts) - counts
        if max_boxes is None:
            slots = -(-int(counts.max()) // SLOTS) * SLOTS
        else:
            slots = arguments.as_integer("max_boxes", max_boxes, minimum=1)
            self._warn_of_surplus(counts, slots)
        # Those with a class come first, so that they are the last to be left out.
        order = np.lexsort((self.labels < 0, self.owners))
        chosen = plan.choose([0] * len(self.paths))
        targets = Boxes(
            self.boxes[order],
            self.labels[order],
            starts[chosen],
            np.minimum(counts[chosen], slots),
            slots,
            self.sizes[chosen],
        )
        paths = [self.paths[index] for index in chosen]
        return plan.batched(paths, targets, self.class_names, self.unreadable)

    def _warn_of_outside(self) -> None:
        """Log how many boxes lie outside of their images, if there are any."""
        limits = self.sizes[self.owners][:, ::-1]
        is_beyond = (self.boxes[:, :2] >= limits) & (limits > 0)
        outside = np.flatnonzero((is_beyond | (self.boxes[:, 2:] <= 0)).any(axis=1))
        if len(outside):
            LOGGER.warning(
                "Left out: %d boxes are outside of their images, first %s.",
                len(outside),
                self.name(outside[0]),
            )

    def _warn_of_surplus(self, counts: np.ndarray, slots: int) -> None:
        """Log how many boxes are more than there is room for, if there are any."""
        surplus = np.maximum(counts - slots, 0)
        if surplus.any():
            fullest = int(counts.argmax())
            LOGGER.warning(
                "Left out: %d boxes of %d images with more than max_boxes=%d; %r has %d.",
                surplus.sum(),
                np.count_nonzero(surplus),
                slots,
                self.paths[fullest],
                counts[fullest],
            )
