"""Masked images and their reconstructions, as arrays to look at."""

from typing import Any

import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor


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
    """
    check_reconstructs("reconstruct", model)
    generator = model.mask_generator

    def pictures_of(images: Tensor, step: Tensor) -> dict[str, Tensor]:
        found = model.masked_pass(model.normalize(images), step, training=False)
        return {
            "original": found.pixels,
            "masked": generator.fill(found.pixels, found.hidden),
            "reconstruction": generator.fill(
                found.pixels, found.hidden, model.predicted_pixels(found)
            ),
            "mask": ops.max(found.hidden, axis=-1),
        }

    def to_uint8(values: np.ndarray) -> np.ndarray:
        restored = values * np.array(model.std) + np.array(model.mean)
        return np.rint(np.clip(restored, 0, 255)).astype("uint8")

    tensors = model.in_one_piece(
        pictures_of, ops.convert_to_tensor(images), ops.convert_to_tensor(step, "int32")
    )
    arrays = {
        name: ops.convert_to_numpy(ops.stop_gradient(tensor)) for name, tensor in tensors.items()
    }
    _, _, rows, columns = arrays["mask"].shape
    height, width, _ = model.backbone.image_shape
    pictures = {
        "masked": to_uint8(arrays["masked"]),
        "reconstruction": to_uint8(arrays["reconstruction"]),
        "mask": (arrays["mask"] > 0).repeat(height // rows, 2).repeat(width // columns, 3),
    }
    if generator.views == 1:
        pictures = {name: picture[:, 0] for name, picture in pictures.items()}
    return {"original": to_uint8(arrays["original"]), **pictures}


def check_reconstructs(name: str, model: Any) -> None:
    """Raise ValueError, in the name of a function, for a model that predicts no pixels."""
    if not getattr(model, "reconstructs", False):
        raise ValueError(
            f"{name} needs a model that predicts pixels: a SimMIM with reconstruction_weight above "
            f"0, or objectives with ks.objectives.Reconstruction(), got {type(model).__name__}."
        )
