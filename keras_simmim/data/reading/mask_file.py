"""PNGs of classes: the numbers of their pixels, and not the colors that a palette gives them."""

from typing import Any

import numpy as np
from PIL import Image, ImageOps

HEADER = 26  # bytes of a PNG up to its color type
GRAY, PALETTE, GRAY_WITH_ALPHA = 0, 3, 4  # color types
SPREAD = {2: 85, 4: 17}  # between gray levels of 2 and 4 bits, as Pillow spreads them over 0–255


def read_mask(path: str | bytes, shape: Any) -> np.ndarray:
    """Read the classes of an image's pixels.

    A gray PNG of 1, 2, 4, 8 or 16 bits, or one with a palette, holds a number a pixel. It is turned
    as its own EXIF says, if there is any.

    Args:
        path: of the PNG.
        shape: height and width of the image, as it is looked at.

    Returns:
        A uint8 array (height, width).

    Raises:
        OSError: if there is no such file.
        ValueError: if it is no intact PNG of numbers, of another size, or has a number above 255.

    Source: PNG, third edition, 11.2.1 (IHDR).
    """
    with open(path, "rb") as file:
        head = file.read(HEADER)
        if len(head) < HEADER or not head.startswith(b"\x89PNG"):
            raise ValueError("is no PNG")
        bits, kind = head[24], head[25]
        if kind not in (GRAY, PALETTE, GRAY_WITH_ALPHA):
            raise ValueError("is of colors: a number a pixel is needed, gray or with a palette")
        height, width = (int(side) for side in shape)
        file.seek(0)
        try:
            opened = Image.open(file)
            mask = ImageOps.exif_transpose(opened) if "exif" in opened.info else opened
            size = mask.size[::-1]
            numbers = np.asarray(mask) if size == (height, width) else np.zeros(1)
        # On damaged files Pillow raises errors of a dozen kinds.
        except Exception as error:
            raise ValueError(f"cannot be read: {error}") from error
    if size != (height, width):
        raise ValueError(
            f"is of {size[0]}×{size[1]} pixels (height × width), the image of {height}×{width} as "
            "it is looked at"
        )
    if numbers.ndim == 3:
        numbers = numbers[..., 0]
    if kind == GRAY and bits in SPREAD:
        numbers = numbers // SPREAD[bits]
    if numbers.max() > 255:
        raise ValueError(f"holds the number {numbers.max()}: classes are from 0 to 255")
    return numbers.astype(np.uint8)
