"""What one forward pass gave: all that an objective may look at."""

from typing import NamedTuple

from keras_simmim.backend.types import Tensor


class MaskedPass(NamedTuple):
    """Hold what became of a batch on its way through masks, encoder and reconstruction head.

    Args:
        pixels: (B, H, W, C), normalized.
        masked: what the masks fell on, features (B, h, w, c) or the pixels.
        hidden: (B, V, h, w, M), 1 where modality m is hidden in a block of a view.
        encoded: the encoded views (B, V, h', w', c'), of n visible positions (B, 1, n, 1, c').
        prediction: (B, V, H, W, C), what each view takes the pixels to be; None without a head.
        labels: integers (B,), −1 for unlabelled; None without labels.
        weights: float32 (B,), what each image counts.
        step: int32 scalar that everything random was drawn from.
        label_weights: float32 (B,), what each image's label counts beside; None for all alike.
    """

    pixels: Tensor
    masked: Tensor
    hidden: Tensor
    encoded: Tensor
    prediction: Tensor | None
    labels: Tensor | None
    weights: Tensor
    step: Tensor | int
    label_weights: Tensor | None = None
