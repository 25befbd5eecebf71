"""Predict what each view hid."""

import keras
from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.parts import Parts
from keras_simmim.objectives.targets import low_pass, patch_statistics

TARGETS = ("pixels", "normalized_pixels", "low_pass_pixels")


@keras.saving.register_keras_serializable("keras_simmim")
class Reconstruction(Objective):
    """Measure the mean error of the hidden coefficients, modality by modality.

    Where there are several modalities, each is divided by the running size of its targets, which
    is the loss of predicting nothing but zeros, so that none drowns another.

    Args:
        target: "pixels", the paper's, with absolute errors; "normalized_pixels", each patch less
            its mean and divided by its deviation, with squared errors; "low_pass_pixels", without
            the highest frequencies, with absolute errors. A patch is a position of the features,
            or a block of masks that fall on pixels.
        weight: factor of the loss in the model's, above 0.
        name: of the loss, "reconstruction" if None.

    Raises:
        ValueError: for another target, or a weight that is not above 0.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.4; He et al., "Masked Autoencoders Are
    Scalable Vision Learners", CVPR 2022; Liu et al., "PixMIM", 2023.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    target = ks.objectives.Reconstruction("normalized_pixels")
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1), objectives=[target])
    model.compile("adamw")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype="uint8")
    sorted(model.evaluate(images, verbose=0, return_dict=True))
    # ['loss', 'reconstruction_loss', 'spatial_loss']
    ```
    """

    name = "reconstruction"
    needs_prediction = True

    def __init__(
        self, target: str = "pixels", weight: float = 1.0, name: str | None = None
    ) -> None:
        super().__init__(weight, name)
        if target not in TARGETS:
            raise ValueError(f"target must be one of {TARGETS}, got {target!r}.")
        if not self.weight > 0:
            raise ValueError(f"weight must be above 0, got {weight!r}: leave the objective out.")
        self.target = target

    def prepare(self, parts: Parts) -> None:
        """Take the masks, which know the bases in which something was hidden."""
        self.mask_generator = parts.mask_generator
        self.patch_grid = parts.patch_grid
        self.scale = parts.scale

    def log_names(self) -> tuple[str, ...]:
        """List the names of the loss and of its part of each modality."""
        return (*super().log_names(), *(f"{name}_loss" for name in self.mask_generator.names))

    def target_of(self, pixels: Tensor) -> Tensor:
        """Give what is to be predicted, (B, H, W, C), of normalized pixels likewise."""
        if self.target == "normalized_pixels":
            mean, deviation = patch_statistics(pixels, self.patch_grid)
            return (pixels - mean) / deviation
        return low_pass(pixels) if self.target == "low_pass_pixels" else pixels

    def pixels_of(self, prediction: Tensor, pixels: Tensor) -> Tensor:
        """Give the pixels that a prediction means, both (B, V, H, W, C).

        Args:
            prediction: of targets.
            pixels: (B, H, W, C), normalized, whose patches lend their means and deviations.
        """
        if self.target != "normalized_pixels":
            return prediction
        mean, deviation = patch_statistics(pixels, self.patch_grid)
        return prediction * ops.expand_dims(deviation, 1) + ops.expand_dims(mean, 1)

    def block_errors(self, masked_pass: MaskedPass) -> Tensor:
        """Sum the absolute errors of each block's target, by modality: (B, V, h, w, M)."""
        target = self.target_of(masked_pass.pixels)
        return self.mask_generator.block_errors(target, masked_pass.prediction)

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the prediction of the target, as a whole and by modality."""
        prediction, hidden = masked_pass.prediction, masked_pass.hidden
        target, squared = self.target_of(masked_pass.pixels), self.target == "normalized_pixels"
        parts = self.mask_generator.hidden_loss(target, prediction, hidden, squared)
        if self.scale is not None:
            nothing = ops.zeros_like(prediction)
            sizes = self.mask_generator.hidden_loss(target, nothing, hidden, squared)
            means = ops.stack([ops.mean(size) for size in sizes.values()])
            # Images count alike, on replicas that have any.
            images = ops.cast(ops.shape(target)[0], "float32")
            counts = images * ops.cast(ops.any(masked_pass.weights > 0), "float32")
            scales = self.scale(means, training=training, counts=counts)
            parts = {name: loss / scales[index] for index, (name, loss) in enumerate(parts.items())}
        total = kernels.batch_size(target)
        losses = {f"{self.name}_loss": sum(parts.values())}
        losses |= {f"{name}_loss": loss for name, loss in parts.items()}
        weights = masked_pass.weights
        return {name: Measure(loss, weights, total) for name, loss in losses.items()}

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"target": self.target, **super().get_config()}
