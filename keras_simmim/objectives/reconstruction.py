"""Predict what each view hid."""

from keras import ops

from keras_simmim.masking import MaskGenerator
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.running_scale import RunningScale


class Reconstruction(Objective):
    """Measure the mean absolute error of the hidden coefficients, modality by modality.

    Where there are several modalities, each is divided by the running size of its targets, which
    is the loss of predicting nothing but zeros, so that none drowns another.

    Args:
        mask_generator: the model's, which knows the bases in which something was hidden.
        scale: running sizes of the modalities' targets; None for one modality, whose loss is then
            the paper's.
        weight: factor of the loss in the model's.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.4.
    """

    name = "reconstruction"

    def __init__(
        self,
        mask_generator: MaskGenerator,
        scale: RunningScale | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        self.mask_generator = mask_generator
        self.scale = scale

    def log_names(self) -> tuple[str, ...]:
        """List the names of the loss and of its part of each modality."""
        return (*super().log_names(), *(f"{name}_loss" for name in self.mask_generator.names))

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the prediction of the pixels, as a whole and by modality."""
        pixels, prediction, hidden = masked_pass.pixels, masked_pass.prediction, masked_pass.hidden
        parts = self.mask_generator.hidden_loss(pixels, prediction, hidden)
        if self.scale is not None:
            nothing = ops.zeros_like(prediction)
            sizes = self.mask_generator.hidden_loss(pixels, nothing, hidden)
            means = ops.stack([ops.mean(size) for size in sizes.values()])
            counts = ops.any(masked_pass.weights > 0)
            scales = self.scale(means, training=training, counts=counts)
            parts = {name: loss / scales[index] for index, (name, loss) in enumerate(parts.items())}
        total = ops.cast(ops.shape(pixels)[0], "float32")
        losses = {"reconstruction_loss": sum(parts.values())}
        losses |= {f"{name}_loss": loss for name, loss in parts.items()}
        weights = masked_pass.weights
        return {name: Measure(loss, weights, total) for name, loss in losses.items()}
