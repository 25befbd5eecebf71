"""Checks of sizes that constructors are given."""

from typing import Any


def check_sizes(**sizes: Any) -> None:
    """Raise ValueError unless all are positive integers."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a positive integer, got {size!r}.")


def check_image_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape as a tuple, or raise ValueError unless it is three positive integers."""
    shape = tuple(image_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(
            "image_shape must be (height, width, channels), positive integers, "
            f"got {image_shape!r}."
        )
    return shape
