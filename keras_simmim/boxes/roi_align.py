"""Features of regions of an image."""

from collections.abc import Callable, Sequence

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.areas import areas
from keras_simmim.layers.take_rows import take_rows

# A region of this side in pixels is read from the level of this stride.
_SIDE, _STRIDE = 224.0, 16.0


def roi_align(
    features: Sequence[Tensor],
    strides: Sequence[float],
    boxes: Tensor,
    size: int = 7,
    sampling: int = 2,
) -> Tensor:
    """Read each region from the level that fits its size, as a small map of bilinear samples.

    A region of √(w·h) pixels is read from the level 4 + log₂(√(w·h)/224), rounded down to one that
    exists, where level k has the stride 2ᵏ. It is cut into size × size bins; a bin is the mean of
    sampling × sampling points, spaced evenly. The center of the first position of a map lies at
    half a stride (`aligned=True` in torchvision). Beyond the outermost centers the map goes on as
    it ends.

    Only positions that are read are gathered, whatever the number of levels and their sizes.

    Args:
        features: (B, Hₗ, Wₗ, C) of each level, finest first.
        strides: pixels that one position of each level steps by, ascending.
        boxes: (B, R, 4), the regions, in pixels and within the image. No gradient passes to them.
        size: bins along each side.
        sampling: points along each side of a bin.

    Returns:
        (B, R, size, size, C), of the features' dtype.

    Source: He et al., "Mask R-CNN", ICCV 2017, section 3; for the levels, Lin et al., "Feature
    Pyramid Networks for Object Detection", CVPR 2017, equation 1.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.roi_align import roi_align

    features = ops.reshape(ops.arange(16, dtype="float32"), (1, 4, 4, 1))
    boxes = ops.array([[[0.0, 0.0, 8.0, 8.0]]])
    roi_align([features], [4], boxes, size=1)[0, 0]   # [[[2.5]]]
    ```
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    levels = _levels(boxes, strides)
    sizes = [(level.shape[1], level.shape[2]) for level in features]
    counts = [height * width for height, width in sizes]
    first = _of_level([sum(counts[:number]) for number in range(len(counts))], levels)
    rows, columns = (_of_level(lengths, levels) for lengths in zip(*sizes, strict=True))
    scaled = boxes / ops.expand_dims(_of_level(strides, levels), -1)
    y, weights_y = _neighbors(scaled[..., 1], scaled[..., 3], rows, size, sampling)
    x, weights_x = _neighbors(scaled[..., 0], scaled[..., 2], columns, size, sampling)
    read = (-1, boxes.shape[1] * size**2, (2 * sampling) ** 2)
    places = _outer(ops.add, y * _behind(columns) + _behind(first), x)
    # Boxes that are no numbers must not lead out of the map: TensorFlow would raise.
    places = ops.clip(ops.cast(places, "int32"), 0, sum(counts) - 1)
    places = ops.reshape(places, read)
    weights = ops.reshape(_outer(ops.multiply, weights_y, weights_x), read)

    channels = features[0].shape[-1]
    flat = [
        ops.reshape(level, (-1, count, channels))
        for level, count in zip(features, counts, strict=True)
    ]
    flat = ops.concatenate(flat, axis=1)
    pooled = 0.0
    # A loop of few rounds, for the sake of memory.
    for number in range(read[-1]):
        values = ops.cast(take_rows(flat, places[..., number]), "float32")
        pooled = pooled + weights[..., number : number + 1] * values
    pooled = ops.cast(pooled / sampling**2, features[0].dtype)
    return ops.reshape(pooled, (-1, boxes.shape[1], size, size, channels))


def _levels(boxes: Tensor, strides: Sequence[float]) -> Tensor:
    """Choose the level of each region: int32 (B, R), 0 for the finest."""
    # 4 + log₂(side / 224) ≥ log₂(stride), squared and without a logarithm that rounds.
    area = areas(boxes)
    levels = ops.zeros_like(area, dtype="int32")
    for stride in strides[1:]:
        levels = levels + ops.cast(area >= (_SIDE / _STRIDE * stride) ** 2, "int32")
    return levels


def _of_level(values: Sequence[float], levels: Tensor) -> Tensor:
    """Look up each region's level among numbers: int32 (B, R) → float32 (B, R)."""
    return ops.take(ops.array(values, dtype="float32"), levels, axis=0)


def _behind(values: Tensor) -> Tensor:
    """Add two axes behind those of regions: (B, R) → (B, R, 1, 1)."""
    return ops.expand_dims(ops.expand_dims(values, -1), -1)


def _neighbors(
    starts: Tensor, ends: Tensor, length: Tensor, size: int, sampling: int
) -> tuple[Tensor, Tensor]:
    """Find the positions on both sides of each of a bin's points along one axis.

    Args:
        starts: float32 (B, R), where regions start, in positions.
        ends: float32 (B, R), where they end.
        length: float32 (B, R), positions of their level.
        size: bins along the axis.
        sampling: points of a bin.

    Returns:
        The positions and their bilinear weights, float32 (B, R, size, 2 · sampling).
    """
    parts = ops.reshape(ops.arange(size * sampling, dtype="float32") + 0.5, (size, sampling))
    points = _behind(starts) + _behind(ends - starts) * parts / (size * sampling) - 0.5
    last = _behind(length) - 1.0
    points = ops.minimum(ops.maximum(points, 0.0), last)
    before = ops.floor(points)
    part = points - before
    positions = ops.concatenate([before, ops.minimum(before + 1.0, last)], axis=-1)
    return positions, ops.concatenate([1.0 - part, part], axis=-1)


def _outer(function: Callable[[Tensor, Tensor], Tensor], rows: Tensor, columns: Tensor) -> Tensor:
    """Combine each row's number with each column's.

    Two tensors (B, R, size, n) give (B, R, size, size, n, n).
    """
    rows = ops.expand_dims(ops.expand_dims(rows, 3), -1)
    return function(rows, ops.expand_dims(ops.expand_dims(columns, 2), -2))
