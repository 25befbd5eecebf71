"""One detection for each object."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.iou import iou
from keras_simmim.layers.take_rows import take_rows


def non_maximum_suppression(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.5,
    minimum_score: float = 0.05,
    count: int = 100,
    candidates: int = 300,
) -> dict[str, Tensor]:
    """Keep boxes by falling score, unless one of the same class that was kept overlaps them.

    This is the greedy suppression exactly, within the `candidates` best pairs of box and class.
    One matrix of IoUs is computed. Whether a box is kept depends on better ones alone; computed
    for all boxes at once, again and again, it settles after as many rounds as boxes suppress each
    other in a row.

    Args:
        boxes: (B, N, 4), in pixels, or (B, N, C, 4) where each class has its own.
        scores: (B, N, C), ≥ 0. No gradient passes through scores or boxes.
        threshold: IoU above which the worse box of a class goes, 0–1.
        minimum_score: score that a box must exceed.
        count: most boxes K of an image.
        candidates: pairs of box and class that are looked at.

    Returns:
        "boxes" float32 (B, K, 4), "scores" float32 (B, K), falling, and "labels" int32 (B, K),
        padded with 0, 0 and −1.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.non_maximum_suppression import non_maximum_suppression

    boxes = ops.array([[[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 7.0], [9.0, 0.0, 16.0, 8.0]]])
    scores = ops.array([[[0.6], [0.9], [0.3]]])
    non_maximum_suppression(boxes, scores, count=3)["scores"]   # [[0.9, 0.3, 0]]
    ```
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    scores = ops.stop_gradient(ops.cast(scores, "float32"))
    _, number, classes = scores.shape
    candidates = min(candidates, number * classes)
    scores, pairs = ops.top_k(ops.reshape(scores, (-1, number * classes)), candidates)
    pairs = ops.cast(pairs, "int32")
    labels = pairs % classes
    own = len(boxes.shape) == 4
    rows = pairs if own else pairs // classes
    boxes = take_rows(ops.reshape(boxes, (-1, number * classes if own else number, 4)), rows)

    of_one_class = ops.expand_dims(labels, 1) == ops.expand_dims(labels, 2)
    places = ops.arange(candidates, dtype="int32")
    is_better = places < ops.expand_dims(places, -1)
    conflicts = ops.logical_and(of_one_class, iou(boxes, boxes) > threshold)
    kept = _settle(ops.logical_and(conflicts, is_better), scores > minimum_score)

    # Those that are kept come first, in their order.
    order = ops.argsort(ops.where(kept, places, candidates), axis=-1)[:, :count]
    table = [boxes, *(ops.cast(ops.expand_dims(x, -1), "float32") for x in (scores, labels, kept))]
    table = take_rows(ops.concatenate(table, axis=-1), ops.cast(order, "int32"))
    table = ops.pad(table, ((0, 0), (0, max(count - candidates, 0)), (0, 0)))
    is_kept = table[..., 6:] > 0.0
    found = ops.where(is_kept, table[..., :5], 0.0)
    labels = ops.where(is_kept[..., 0], ops.cast(table[..., 5], "int32"), -1)
    return {"boxes": found[..., :4], "scores": found[..., 4], "labels": labels}


def _settle(conflicts: Tensor, valid: Tensor) -> Tensor:
    """Find the boxes that conflict with no better one that is kept.

    Args:
        conflicts: bool (B, n, n), whether the box of a row must go if that of a column, a better
            one, is kept.
        valid: bool (B, n), whether a box may be kept at all.

    Returns:
        bool (B, n).
    """

    def changes(kept: Tensor, is_changed: Tensor) -> Tensor:
        return is_changed

    def go_on(kept: Tensor, is_changed: Tensor) -> tuple[Tensor, Tensor]:
        suppressed = ops.any(ops.logical_and(conflicts, ops.expand_dims(kept, 1)), axis=-1)
        settled = ops.logical_and(valid, ops.logical_not(suppressed))
        return settled, ops.any(settled != kept)

    # After n rounds the first n are right, whatever the others: there is one solution.
    start = (valid, ops.ones((), dtype="bool"))
    return ops.while_loop(changes, go_on, start, maximum_iterations=valid.shape[1])[0]
