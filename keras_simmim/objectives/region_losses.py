"""What a second look at regions learns from: the class of each, and where exactly."""

from typing import NamedTuple

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.match_by_overlap import match_by_overlap
from keras_simmim.boxes.offsets import encode_offsets
from keras_simmim.boxes.sample import sample
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.objectives.smooth_l1 import smooth_l1

_OVERLAP = 0.5
_SHARE = 0.25


class RegionSample(NamedTuple):
    """Hold the regions that are looked at in training, and what is to be found in them.

    Attributes:
        boxes: float32 (B, R, 4), in pixels.
        labels: int32 (B, R), 0 for the background, 1 for the first class.
        offsets: float32 (B, R, 4), of the true box from the region.
        counts: float32 (B, R), 1, or 0 where there are too few.
    """

    boxes: Tensor
    labels: Tensor
    offsets: Tensor
    counts: Tensor


def sample_regions(
    regions: Tensor,
    valid: Tensor,
    boxes: Tensor,
    labels: Tensor,
    step: Tensor | int,
    seed: int = 0,
    count: int = 64,
) -> RegionSample:
    """Draw regions of which a quarter, or as many as there are, overlap a true box by half.

    The true boxes are among the regions, so that there are positives from the first step on.

    Args:
        regions: float32 (B, P, 4), in pixels.
        valid: bool (B, P), whether a region is any.
        boxes: float32 (B, M, 4), the true boxes, in pixels, within the image.
        labels: int32 (B, M): −1 pads, −2 is an ignored box.
        step: int32 scalar that the sample is drawn from, with the seed.
        seed: 0 ≤ seed < 2³¹.
        count: regions R of an image.

    Returns:
        The sample. No gradient passes to it.

    Source: Girshick, "Fast R-CNN", ICCV 2015, section 2.3.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.region_losses import sample_regions

    regions = ops.array([[[0.0, 0.0, 8.0, 6.0], [8.0, 8.0, 16.0, 16.0]]])
    boxes, labels = ops.array([[[0.0, 0.0, 8.0, 8.0]]]), ops.array([[1]], "int32")
    found = sample_regions(regions, ops.ones((1, 2), "bool"), boxes, labels, step=0, count=4)
    found.counts   # [[1, 1, 0, 0]], one of two positives and a negative
    ```
    """
    regions = ops.concatenate([regions, boxes], axis=1)
    valid = ops.concatenate([valid, labels >= 0], axis=1)
    match = match_by_overlap(regions, boxes, labels, _OVERLAP, _OVERLAP, force=False)
    positive = ops.logical_and(match.positive, valid)
    negative = ops.logical_and(match.negative, valid)
    rows, counts = sample(positive, negative, count, _SHARE, seed, step)
    truth = take_rows(ops.expand_dims(labels, -1), match.indices)[..., 0]
    truth = ops.expand_dims(ops.where(positive, truth + 1, 0), -1)
    offsets = encode_offsets(take_rows(boxes, match.indices), regions)
    sampled = RegionSample(
        take_rows(regions, rows), take_rows(truth, rows)[..., 0], take_rows(offsets, rows), counts
    )
    return RegionSample(*(ops.stop_gradient(each) for each in sampled))


def region_losses(
    scores: Tensor, offsets: Tensor, regions: RegionSample
) -> dict[str, tuple[Tensor, Tensor]]:
    """Measure the cross-entropy of classes, and smooth L1 of the offsets where there is an object.

    Args:
        scores: float32 (B, R, K + 1), before the softmax, the background first.
        offsets: float32 (B, R, 4).
        regions: the sample that they were predicted for.

    Returns:
        "class_loss" and "box_loss", both summed over the sample of each image, float32 (B,), and
        with each the size of the samples, float32 (B,), by whose sum they are divided.

    Source: Girshick, "Fast R-CNN", ICCV 2015, equations 1–3.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.region_losses import RegionSample, region_losses

    offsets, labels = ops.zeros((1, 2, 4)), ops.array([[1, 0]], "int32")
    regions = RegionSample(offsets, labels, offsets + 2.0, ops.ones((1, 2)))
    losses = region_losses(ops.zeros((1, 2, 4)), offsets, regions)
    losses["box_loss"][0] / losses["box_loss"][1]   # [3]
    ```
    """
    counts = regions.counts
    entropy = ops.sparse_categorical_crossentropy(regions.labels, scores, from_logits=True)
    is_object = ops.cast(regions.labels > 0, "float32")
    distance = ops.sum(smooth_l1(offsets - regions.offsets), axis=-1)
    sizes = ops.sum(counts, axis=-1)
    return {
        "class_loss": (ops.sum(entropy * counts, axis=-1), sizes),
        "box_loss": (ops.sum(distance * is_object * counts, axis=-1), sizes),
    }
