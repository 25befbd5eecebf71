"""What a region proposal network learns from: objects or not, and where."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.match_by_overlap import match_by_overlap
from keras_simmim.boxes.offsets import UNSCALED, encode_offsets
from keras_simmim.boxes.sample import sample
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.objectives.smooth_l1 import smooth_l1

_HIGH, _LOW = 0.7, 0.3
_SHARE = 0.5
# Offsets of a first look are small: the square goes over into the line at 1/9.
_BEND = 1 / 9


def proposal_losses(
    objectness: Tensor,
    offsets: Tensor,
    anchors: Tensor,
    boxes: Tensor,
    labels: Tensor,
    step: Tensor | int,
    seed: int = 0,
    count: int = 256,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Measure a sample of anchors: the cross-entropy of objectness and smooth L1 of offsets.

    An anchor that overlaps a true box by an IoU of 0.7, or more than all others do, is positive;
    one below 0.3 is negative. Half of the sample are positives, or as many as there are.

    Args:
        objectness: float32 (B, N), before the sigmoid.
        offsets: float32 (B, N, 4), from the anchors, not divided by variances.
        anchors: float32 (N, 4), in pixels.
        boxes: float32 (B, M, 4), the true boxes, in pixels.
        labels: int32 (B, M): −1 pads, −2 is an ignored box.
        step: int32 scalar that the sample is drawn from, with the seed.
        seed: 0 ≤ seed < 2³¹.
        count: anchors of an image that are sampled.

    Returns:
        "objectness_loss" and "proposal_loss", both summed over the sample of each image, float32
        (B,), and with each the size of the samples, float32 (B,), by whose sum they are divided.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.1.2, with the normalizers and the
    bend of the authors' code.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.proposal_losses import proposal_losses

    anchors = ops.array([[0.0, 0.0, 8.0, 8.0], [8.0, 8.0, 16.0, 16.0]])
    boxes, labels = ops.array([[[0.0, 0.0, 8.0, 8.0]]]), ops.array([[2]], "int32")
    losses = proposal_losses(ops.zeros((1, 2)), ops.zeros((1, 2, 4)), anchors, boxes, labels, 0)
    losses["objectness_loss"][0] / losses["objectness_loss"][1]   # [0.693147]
    ```
    """
    match = match_by_overlap(anchors, boxes, labels, _HIGH, _LOW)
    rows, counts = sample(match.positive, match.negative, count, _SHARE, seed, step)
    targets = encode_offsets(take_rows(boxes, match.indices), anchors, UNSCALED)
    positive = ops.expand_dims(ops.cast(match.positive, "float32"), -1)
    table = [ops.expand_dims(objectness, -1), offsets, targets, positive]
    table = take_rows(ops.concatenate(table, axis=-1), rows)
    score, is_object = table[..., 0], table[..., 9]
    entropy = ops.softplus(score) - is_object * score
    distance = ops.sum(smooth_l1(table[..., 1:5] - table[..., 5:9], _BEND), axis=-1)
    sizes = ops.sum(counts, axis=-1)
    return {
        "objectness_loss": (ops.sum(entropy * counts, axis=-1), sizes),
        "proposal_loss": (ops.sum(distance * is_object * counts, axis=-1), sizes),
    }
