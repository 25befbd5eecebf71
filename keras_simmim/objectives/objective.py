"""The contract of every objective: one thing that teaches."""

from typing import NamedTuple, Self

import keras
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.parts import Parts


class Measure(NamedTuple):
    """Hold a value for each example, and what each counts.

    Args:
        values: float32 (B,).
        counts: float32 (B,).
        total: float32 scalar that the sum of values times counts is divided by: the batch size
            where every example counts alike, or the sum of the counts. Of several replicas it is
            that of this one's examples.
    """

    values: Tensor
    counts: Tensor
    total: Tensor

    def mean(self) -> Tensor:
        """Average the values over the batch: a scalar, 0 where nothing counts.

        Of several replicas, each has a share, of which the mean over them is that of the batch.
        """
        total = devices.mean_over_replicas(self.total)
        return ops.divide_no_nan(ops.sum(self.values * self.counts), total)


class Objective:
    """Measure how well something was done in a forward pass, for an optimizer to improve.

    An objective is no layer. It has `layers`, which the model owns and saves, and `prepare` makes
    it ready for one model. Its arguments are those of `get_config`; register it with Keras.

    Args:
        weight: factor of its loss in the model's, at least 0.
        name: the loss "<name>_loss" of `measure` is the one that teaches; the class' own if None.

    Raises:
        ValueError: for a weight below 0.

    One that `is_batch_statistic` gives the same value for every example: weights of examples then
    do no more than leave some out, and batches that are accumulated do not see each other. It is
    one of all replicas' examples if it is measured on what `devices.all_examples` gives.

    Example:
    ```python
    import keras
    from keras import ops
    import keras_simmim as ks


    @keras.saving.register_keras_serializable("examples")
    class Small(ks.objectives.Objective):
        name = "small"

        def measure(self, masked_pass, training):
            sizes = ops.mean(ops.abs(masked_pass.encoded), axis=(1, 2, 3, 4))
            total = ops.cast(ops.shape(sizes)[0], "float32")
            return {"small_loss": ks.objectives.Measure(sizes, masked_pass.weights, total)}


    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    masking = ks.masking.SpatialMasking(0.5, block_size=1)
    model = ks.SimMIM(backbone, masking, objectives=[ks.objectives.Reconstruction(), Small(0.1)])
    model.compile("adamw")
    losses = model.train_on_batch(ops.ones((4, 16, 24, 3)), return_dict=True)
    sorted(losses)[-2:]   # ['small_loss', 'spatial_loss']
    ```
    """

    name: str
    is_batch_statistic: bool = False
    # Whether it compares a prediction of the model's head with what was hidden.
    needs_prediction: bool = False
    # Whether tokens lose their positions in the pass that it measures.
    loses_positions: bool = False
    # How many crops of a picture, and how many images, a batch must have for it.
    least_crops: int = 1
    least_images: int = 1

    def __init__(self, weight: float = 1.0, name: str | None = None) -> None:
        if not weight >= 0:
            raise ValueError(f"weight must be at least 0, got {weight!r}.")
        self.weight = float(weight)
        if name is not None:
            self.name = name
        # What the model is to own of it, which is one model's alone.
        self.layers: list[keras.layers.Layer] = []
        self.is_prepared = False

    def prepare(self, parts: Parts) -> None:
        """Take what is needed of a model's parts, and create the layers.

        Args:
            parts: of the model, which is built but for these layers.

        Raises:
            ValueError: for a model that this cannot teach.
        """

    def log_names(self) -> tuple[str, ...]:
        """List the names of what `measure` gives."""
        return (f"{self.name}_loss",)

    def lost_positions(self, shown: Tensor, step: Tensor | int) -> tuple[Tensor, Tensor]:
        """Say which tokens lose their positions, where `loses_positions`, and what stands there.

        Args:
            shown: float32 (B, N), 1 for positions that are not hidden entirely.
            step: int32 scalar that anything random is drawn from.

        Returns:
            float32 (B, N), 1 for a position that is lost, and a vector (D,).
        """
        raise NotImplementedError

    def pixels_of(self, prediction: Tensor, pixels: Tensor) -> Tensor:
        """Give the pixels that a prediction means, both (B, V, H, W, C), where `needs_prediction`.

        Args:
            prediction: of what the objective aims at.
            pixels: (B, H, W, C), normalized, of which it was predicted.
        """
        return prediction

    def block_errors(self, masked_pass: MaskedPass) -> Tensor:
        """Measure how wrong the prediction of each block is, where `needs_prediction`.

        Returns:
            (B, V, h, w, M), by which masks that learn rank blocks.
        """
        raise NotImplementedError

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure a batch.

        Args:
            masked_pass: what the forward pass gave.
            training: whether the measure is to be learned from.

        Returns:
            The loss, "<name>_loss", and what else is to be logged, by name. Empty if the batch
            does not have what the objective needs, such as labels.
        """
        raise NotImplementedError

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        config: Config = {"weight": self.weight}
        return config if self.name == type(self).name else {**config, "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make an objective of this configuration, with new layers."""
        return cls(**config)


def same_for_all(value: Tensor, masked_pass: MaskedPass) -> Measure:
    """Give a statistic of the whole batch, a scalar, to each of its examples."""
    ones = ops.ones_like(masked_pass.weights)
    return Measure(value * ones, ones, ops.sum(ones))
