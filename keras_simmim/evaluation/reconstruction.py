"""What a model sees of images, and what it fills in, as arrays to look at."""

from typing import Any

import numpy as np
from keras import ops


def reconstruction(model: Any, images: Any, step: int = 0) -> dict[str, np.ndarray]:
    """Mask images, predict what is hidden, and bring both back to pixels.

    Args:
        model: a `SimMIM` with a reconstruction head.
        images: array (N, H, W, C), uint8 or float 0–255.
        step: the masks' step.

    Returns:
        The arrays of `SimMIM.reconstruct`.

    Raises:
        ValueError: for a model without a reconstruction head.

    Example:
    ```python
    pictures = reconstruction(model, images, step=3)
    pictures["masked"].shape   # (8, 16, 24, 3)
    ```
    """
    if model.head is None:
        raise ValueError("reconstruct needs a model with reconstruction_weight above 0.")
    pixels = model.normalise(ops.convert_to_tensor(images))
    encoded, hidden, _ = model.masked_features(pixels, step, training=False)
    generator = model.mask_generator
    _, _, rows, columns, _ = hidden.shape
    height, width, _ = model.backbone.image_shape
    touched = ops.convert_to_numpy(ops.stop_gradient(ops.max(hidden, axis=-1))) > 0
    prediction = model.predict_pixels(encoded, hidden)

    def to_uint8(values: Any) -> np.ndarray:
        values = ops.convert_to_numpy(ops.stop_gradient(values))
        restored = values * np.array(model.std) + np.array(model.mean)
        return np.rint(np.clip(restored, 0, 255)).astype("uint8")

    pictures = {
        "masked": to_uint8(generator.fill(pixels, hidden)),
        "reconstruction": to_uint8(generator.fill(pixels, hidden, prediction)),
        "mask": touched.repeat(height // rows, axis=2).repeat(width // columns, axis=3),
    }
    if generator.views == 1:
        pictures = {name: picture[:, 0] for name, picture in pictures.items()}
    return {"original": to_uint8(pixels), **pictures}
