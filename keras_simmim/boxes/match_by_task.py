"""Assignment of points to true boxes by how well the network does there already."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.iou import iou
from keras_simmim.boxes.match import Match
from keras_simmim.layers.take_rows import take_rows

# Stands for 0 where a logarithm is taken: no product of powers leaves float32 this way.
_SMALLEST = 1e-9
# Below the logarithm of every alignment.
_NO_CANDIDATE = -1e9


def match_by_task(
    scores: Tensor,
    predicted: Tensor,
    points: Tensor,
    boxes: Tensor,
    labels: Tensor,
    candidates: int = 10,
    score_power: float = 0.5,
    overlap_power: float = 6.0,
) -> tuple[Match, Tensor]:
    """Give each true box the points inside it whose predictions are best aligned with it.

    The alignment is score^0.5 · IoU^6, of the score of the box' class and the IoU of the predicted
    box. A point that several boxes choose goes to the one of the highest IoU. A point inside an
    ignored box that no box chose is neither positive nor negative. No gradient passes.

    Args:
        scores: (B, N, C), probabilities of the classes at each point.
        predicted: (B, N, 4), the predicted boxes, in pixels.
        points: (N, 2), x and y of the points, in pixels.
        boxes: (B, M, 4), the true boxes, in pixels.
        labels: int32 (B, M), the classes: −1 pads, −2 is an ignored box.
        candidates: most points that a box chooses.
        score_power: exponent of the score.
        overlap_power: exponent of the IoU.

    Returns:
        The match of the points, and float32 (B, N), the target of the score of the class of a
        positive point's box, 0 elsewhere: the alignment, scaled so that the best point of a box
        has the highest IoU of the box' points.

    Source: Feng et al., "TOOD: Task-aligned One-stage Object Detection", ICCV 2021
    (arXiv 2108.07755), section 3.2; candidates and exponents are those of YOLOv8.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.match_by_task import match_by_task

    points = ops.array([[4.0, 4.0], [12.0, 4.0]])
    predicted = ops.array([[[0.0, 0.0, 8.0, 8.0], [8.0, 0.0, 16.0, 8.0]]])
    boxes, labels = ops.array([[[0.0, 0.0, 8.0, 4.5]]]), ops.array([[0]], dtype="int32")
    match_by_task(ops.full((1, 2, 1), 0.1), predicted, points, boxes, labels)[1]   # [[0.5625, 0]]
    ```
    """
    scores = ops.stop_gradient(ops.cast(scores, "float32"))
    overlaps = iou(boxes, ops.stop_gradient(predicted))
    count = scores.shape[1]
    label_rows = ops.maximum(ops.cast(labels, "int32"), 0)
    class_scores = take_rows(ops.transpose(scores, (0, 2, 1)), label_rows)
    alignment = score_power * _log(class_scores) + overlap_power * _log(overlaps)

    inside = _inside(points, boxes)
    is_candidate = ops.logical_and(inside, ops.expand_dims(labels >= 0, -1))
    ranked = ops.where(is_candidate, alignment, _NO_CANDIDATE)
    chosen = ops.logical_and(is_candidate, _largest(ranked, min(candidates, count)))
    indices = ops.cast(ops.argmax(ops.where(chosen, overlaps, -1.0), axis=1), "int32")
    rows = ops.reshape(ops.arange(labels.shape[1], dtype="int32"), (-1, 1))
    assigned = ops.logical_and(chosen, rows == ops.expand_dims(indices, 1))

    ranked = ops.where(assigned, alignment, _NO_CANDIDATE)
    relative = ops.exp(ranked - ops.amax(ranked, axis=-1, keepdims=True))
    highest = ops.amax(ops.where(assigned, overlaps, 0.0), axis=-1, keepdims=True)
    targets = ops.sum(ops.where(assigned, relative * highest, 0.0), axis=1)

    positive = ops.any(chosen, axis=1)
    is_ignored = ops.logical_and(inside, ops.expand_dims(labels == -2, -1))
    negative = ops.logical_not(ops.logical_or(positive, ops.any(is_ignored, axis=1)))
    return Match(indices, positive, negative), targets


def _log(values: Tensor) -> Tensor:
    """Return the logarithm of values of 0–1, finite at 0."""
    return ops.log(ops.maximum(values, _SMALLEST))


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Mark the points that lie inside each box, not on its edge: bool (B, M, N)."""
    points, boxes = ops.cast(points, "float32"), ops.cast(boxes, "float32")
    is_inside = []
    for axis in (0, 1):
        is_inside.append(points[:, axis] > boxes[..., axis : axis + 1])
        is_inside.append(points[:, axis] < boxes[..., axis + 2 : axis + 3])
    return ops.all(ops.stack(is_inside), axis=0)


def _largest(values: Tensor, count: int) -> Tensor:
    """Mark the `count` largest of the last axis' values: (B, M, N) → bool (B, M, N)."""
    _, boxes, points = values.shape
    best = ops.reshape(ops.cast(ops.top_k(values, count)[1], "int32"), (-1, count))
    rows = ops.expand_dims(ops.arange(ops.shape(best)[0], dtype="int32"), -1)
    places = ops.reshape(rows * points + best, (-1, 1))
    flat = ops.zeros_like(ops.reshape(values, (-1,)))
    marked = ops.scatter_update(flat, places, ops.ones_like(places[:, 0], dtype="float32"))
    return ops.reshape(marked, (-1, boxes, points)) > 0.0
