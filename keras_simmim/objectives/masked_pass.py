"""What one forward pass gave: all that an objective may look at."""

from typing import NamedTuple

from keras import ops

from keras_simmim.backend.types import Tensor


class MaskedPass(NamedTuple):
    """Hold what became of a batch on its way through masks, encoder and reconstruction head.

    A batch of crops, (B, c, H, W, C), is one of B·c images, those of one picture side by side.

    Args:
        pixels: (B, H, W, C), normalized; of sequences the tokens, int32 (B, L), or (B, L, 1 + F)
            with side features.
        masked: what the masks fell on, features (B, h, w, c) or the pixels.
        hidden: (B, V, h, w, M), 1 where modality m is hidden in a block of a view.
        encoded: the encoded views (B, V, h', w', c'), of n visible positions (B, V, n, 1, c').
        prediction: (B, V, H, W, C), what each view takes its target to be; None without a head.
        labels: integers (B,), −1 for unlabelled; None without labels.
        weights: float32 (B,), what each image counts.
        step: int32 scalar that everything random was drawn from.
        label_weights: float32 (B,), what each image's label counts beside; None for all alike.
        positions: int32 (B·V, n), the positions that were encoded; None for all.
        lost: float32 (B·V, N), 1 for positions whose embeddings were taken away; None for none.
        crops: number c of crops of each picture.
        valid: float32 (B, L), 1 where a sequence is no padding; None where nothing ever is.
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
    positions: Tensor | None = None
    lost: Tensor | None = None
    crops: int = 1
    valid: Tensor | None = None

    def counted(self) -> Tensor:
        """Tell which pictures count at all: float32 (B/c,), 0 or 1."""
        weights = ops.reshape(self.weights, (-1, self.crops))
        return ops.cast(ops.all(weights > 0, axis=1), "float32")
