"""The shapes of a batch of images with masks or boxes."""

from collections.abc import Mapping

from keras_simmim.backend.types import Shape, Tensor


def check_record(record: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless a batch has images, and either masks or boxes with labels.

    Args:
        record: "images" (B, H, W, C), and either "masks" (B, H, W) or "boxes" (B, M, 4) and
            "labels" (B, M), M ≥ 1; others are not looked at.

    Raises:
        ValueError: for missing or superfluous names, and for other shapes.

    Example:
    ```python
    import numpy as np
    from keras_simmim.training.check_record import check_record

    images = np.zeros((2, 8, 8, 3), "uint8")
    check_record({"images": images, "masks": images[..., 0]}) is None   # True
    ```
    """
    names = set(record) & {"images", "masks", "boxes", "labels"}
    if names not in ({"images", "masks"}, {"images", "boxes", "labels"}):
        raise ValueError(
            f"record must have images, and either masks or boxes and labels, got {sorted(record)}."
        )
    images = tuple(record["images"].shape)
    if len(images) != 4 or None in images[1:]:
        raise ValueError(f"images must be (B, H, W, C), got {images}.")
    if "masks" in names:
        _check_shape("masks", record["masks"], images[:3])
        return
    boxes = tuple(record["boxes"].shape)
    if len(boxes) != 3 or not boxes[1] or boxes[2] != 4:
        raise ValueError(f"boxes must be (B, M, 4) with M at least 1, got {boxes}.")
    _check_shape("boxes", record["boxes"], (images[0], *boxes[1:]))
    _check_shape("labels", record["labels"], (images[0], boxes[1]))


def _check_shape(name: str, tensor: Tensor, expected: Shape) -> None:
    """Raise ValueError for a shape that cannot be the expected one, where both are known."""
    shape = tuple(tensor.shape)
    if len(shape) != len(expected) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(shape, expected, strict=True)
    ):
        raise ValueError(f"{name} must be {expected} for these images and boxes, got {shape}.")
