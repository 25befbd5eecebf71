"""One vector for each view: the mean of what it shows."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking import MaskGenerator
from keras_simmim.objectives.masked_pass import MaskedPass


def visible_means(masked_pass: MaskedPass, mask_generator: MaskGenerator) -> Tensor:
    """Average the encoded positions of each view that are not hidden entirely.

    Args:
        masked_pass: of B/c pictures with c crops of V views each.
        mask_generator: that masked them.

    Returns:
        float32 (B/c, c·V, D): for each picture the views of its first crop, then of the next.
    """
    encoded = ops.cast(masked_pass.encoded, "float32")
    if len(encoded.shape) == 4:
        encoded = ops.expand_dims(encoded, 3)
    _, views, rows, columns, channels = encoded.shape
    if masked_pass.positions is not None:
        means = ops.mean(encoded, axis=(2, 3))
    else:
        shown = mask_generator.shown(ops.stop_gradient(masked_pass.hidden), rows, columns)
        # Of a view that shows nothing, all positions count alike.
        shares = shown + 1e-6
        if masked_pass.valid is not None:
            shares = shares * ops.reshape(masked_pass.valid, (-1, 1, rows, 1))
        shares = ops.expand_dims(shares, -1)
        total = ops.maximum(ops.sum(shares, axis=(2, 3)), 1e-6)
        means = ops.sum(encoded * shares, axis=(2, 3)) / total
    return ops.reshape(means, (-1, masked_pass.crops * views, channels))
