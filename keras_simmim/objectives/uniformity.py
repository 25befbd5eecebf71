"""Keep the features of different images apart."""

import keras
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Tensor
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective, same_for_all
from keras_simmim.objectives.parts import Parts
from keras_simmim.objectives.visible_means import visible_means


@keras.saving.register_keras_serializable("keras_simmim")
class Uniformity(Objective):
    """Measure how alike the features of different images are, which a collapse would make equal.

    The mean of (fᵢᵀfⱼ)² over pairs i ≠ j of images, where fᵢ is the mean of image i's encoded
    visible positions, of length 1. Of several views, each is compared with the same view of other
    images, and the mean over views counts. A statistic of the batch, of all replicas' images, 0
    for one image.

    Args:
        weight: factor of the loss in the model's, at least 0.
        name: of the loss, "uniformity" if None.

    Raises:
        ValueError: for a weight below 0.

    Source: Zhang et al., "How Mask Matters: Towards Theoretical Understandings of Masked
    Autoencoders", NeurIPS 2022, whose code also takes the mean over i = j.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    objectives = [ks.objectives.Reconstruction(), ks.objectives.Uniformity(0.01)]
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1), objectives=objectives)
    model.compile("adamw")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype="uint8")
    0 <= model.evaluate(images, verbose=0, return_dict=True)["uniformity_loss"] <= 1   # True
    ```
    """

    name = "uniformity"
    is_batch_statistic = True
    least_images = 2

    def __init__(self, weight: float = 0.01, name: str | None = None) -> None:
        super().__init__(weight, name)

    def prepare(self, parts: Parts) -> None:
        """Take the masks, which know what they left visible."""
        self.mask_generator = parts.mask_generator

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the images of a batch that count at all."""
        means = devices.all_examples(visible_means(masked_pass, self.mask_generator))
        loss = uniformity(means, devices.all_examples(masked_pass.counted()))
        return {f"{self.name}_loss": same_for_all(loss, masked_pass)}


def uniformity(features: Tensor, counted: Tensor) -> Tensor:
    """Average (fᵢᵀfⱼ)² over pairs of different images, and over views.

    Args:
        features: float32 (N, P, D), P views of N images, of any length.
        counted: float32 (N,), 1 for an image that counts, else 0.

    Returns:
        A float32 scalar between 0 and 1.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.uniformity import uniformity

    features = ops.convert_to_tensor([[[2.0, 0.0]], [[3.0, 3.0]], [[0.0, 1.0]]])
    round(float(uniformity(features, ops.ones(3))), 3)   # 0.333: (½ + ½ + 0) / 3
    ```
    """
    views = features.shape[1]
    lengths = ops.sum(ops.square(features), axis=-1, keepdims=True)
    features = features * ops.rsqrt(lengths + 1e-12)
    alike = ops.square(ops.einsum("npd,mpd->nmp", features, features))
    pairs = _different(ops.shape(features)[0]) * counted[:, None] * counted[None]
    total = ops.sum(ops.sum(alike, axis=-1) * pairs)
    return ops.divide_no_nan(total, views * ops.sum(pairs))


def _different(count: Tensor | int) -> Tensor:
    """Give 1 for pairs of different images, 0 on the diagonal: float32 (N, N)."""
    numbers = ops.arange(count, dtype="int32")
    return ops.cast(ops.not_equal(numbers[:, None], numbers[None]), "float32")
