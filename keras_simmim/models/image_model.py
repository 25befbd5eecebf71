"""What a model of images brings itself: normalised pixels, a count of steps, losses and metrics."""

import warnings
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend import step
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.models.normalization import IMAGENET_MEAN, IMAGENET_STD, per_channel
from keras_simmim.training.callbacks.checkpoint import Checkpoint
from keras_simmim.training.callbacks.seed_steps import SeedSteps
from keras_simmim.training.callbacks.stop_when_skipping import StopWhenSkipping
from keras_simmim.training.callbacks.unfinished_epoch import UnfinishedEpoch
from keras_simmim.training.run_state import RunState


class ImageModel(step.TrainStep, keras.Model):
    """A model around a backbone that takes pixels of 0–255 and measures its own losses.

    Subclasses have `compute_losses(data, training)`, which gives each loss with the weight that
    its mean over batches counts it by, and "predictions", probabilities and labels, where they
    have any.

    Args:
        backbone: the network; it takes normalised floats.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None (for a number of
            channels other than 3, the average of its three).
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for a mean or std that does not fit the channels.
    """

    built: bool

    def __init__(
        self,
        backbone: Backbone,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        # Pixels of 0–255 must reach the normalisation in float32 under any precision policy.
        super().__init__(autocast=False, **kwargs)
        self.backbone = backbone
        channels = backbone.image_shape[-1]
        self.mean = per_channel("mean", mean, IMAGENET_MEAN, channels)
        self.std = per_channel("std", std, IMAGENET_STD, channels)
        self.normalise = keras.layers.Rescaling(
            scale=[1 / value for value in self.std],
            offset=[-center / value for center, value in zip(self.mean, self.std, strict=True)],
            dtype="float32",
            name="normalise",
        )
        # Before every epoch Keras runs a model symbolically that has any layer not built.
        self.normalise.build((None, *backbone.image_shape))
        self.trackers: list[keras.metrics.Metric] = []
        # Keras lets no layer, and no list of metrics, be added to a model that is built.
        self.extra = SimpleNamespace(metrics=[], embedder=None, block_embedder=None, pieces={})
        # What `ks.training.resume` leaves for the next `fit`.
        self.resumed: RunState | None = None
        self.backend_seed: int | None = None

    def add_step(self) -> None:
        """Create the count of steps: an optimizer's own stands still while it accumulates."""
        self.step, self.skipped_steps = (
            self.add_weight(
                shape=(),
                dtype="int32",
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
                name=name,
            )
            for name in ("step", "skipped_steps")
        )

    # ------------------------------------------------- what a training step is made of

    @property
    def kept_variables(self) -> list[keras.Variable]:
        """What a step that is not finite must leave as it was, beside weights and optimizer."""
        counts = (self.step, self.skipped_steps)
        return [
            variable
            for variable in self.non_trainable_variables
            if not any(variable is count for count in counts)
        ]

    def finish_step(self, finite: Tensor, before: Sequence[Tensor]) -> None:
        """Count the step; if it was not finite, count that too and take back what it changed.

        Args:
            finite: bool scalar, whether loss and gradients were.
            before: the values of `kept_variables` before the step.
        """
        for variable, value in zip(self.kept_variables, before, strict=True):
            variable.assign(ops.where(finite, variable.value, value))
        self.skipped_steps.assign_add(1 - ops.cast(finite, "int32"))
        self.step.assign_add(1)

    def skipped_log(self) -> dict[str, Tensor]:
        """How many steps were skipped so far, for the logs."""
        return {"skipped_steps": ops.cast(self.skipped_steps, "float32")}

    def update_metrics(
        self, measured: dict[str, tuple[Tensor, Tensor]], finite: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Fold one batch's measurements into the running means and return those as logs.

        Args:
            measured: values and what each counts, from `compute_losses`.
            finite: bool scalar; nothing is folded in if it is false.
        """

        def unless_skipped(value: Tensor) -> Tensor:
            return value if finite is None else ops.where(finite, value, ops.zeros_like(value))

        logs = {}
        for tracker in self.trackers:
            if tracker.name in measured:
                value, weight = map(unless_skipped, measured[tracker.name])
                tracker.update_state(value, sample_weight=weight)
                logs[tracker.name] = tracker.result()
        for metric in self.extra.metrics:
            probabilities, labels = measured["predictions"]
            counts = unless_skipped(ops.ones_like(probabilities[:, 0]))
            metric.update_state(labels, unless_skipped(probabilities), sample_weight=counts)
            logs[metric.name] = metric.result()
        return logs

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What `fit` logs and resets."""
        return [*self.trackers, *self.extra.metrics]

    def compile(
        self, optimizer: Any = "rmsprop", jit_compile: bool | str = "auto", **kwargs: Any
    ) -> None:
        """Choose the optimizer; the other arguments are those of `keras.Model.compile`.

        Args:
            optimizer: as for `keras.Model.compile`.
            jit_compile: as for `keras.Model.compile`.
            **kwargs: as for `keras.Model.compile`, and `stop_after_skipped`, 20 if not given:
                `fit` ends with an error after so many steps in a row whose loss or gradients
                were not finite; such steps change nothing. None goes on for ever.

        Raises:
            ValueError: for a loss, which the model brings itself.
        """
        stop_after_skipped = kwargs.pop("stop_after_skipped", 20)
        if stop_after_skipped is not None and stop_after_skipped < 1:
            raise ValueError(
                f"stop_after_skipped must be at least 1 or None, got {stop_after_skipped!r}."
            )
        self.stop_after_skipped = stop_after_skipped
        for name in ("loss", "loss_weights", "weighted_metrics"):
            if kwargs.get(name):
                raise ValueError(
                    f"{type(self).__name__} brings its own losses, got {name}={kwargs[name]!r}."
                )
        self.asked_jit_compile = jit_compile
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        # TensorFlow would trace a first step that creates these, and then trace the step anew.
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.fit`; a `tf.data.Dataset` is taken in its own order without a warning.

        Callbacks that save checkpoints run behind all others, so that what those have written is
        there when it is counted.

        Raises:
            FloatingPointError: after `stop_after_skipped` steps in a row that were not finite.
            ValueError: after `ks.training.resume`, for an `initial_epoch` or for data of
                `ks.data` that do not go on where the run stopped.
        """
        if hasattr(x, "element_spec"):
            kwargs.setdefault("shuffle", False)
        unfinished = self._unfinished_epoch(x, kwargs)
        guard = StopWhenSkipping(self.stop_after_skipped)
        callbacks = kwargs.pop("callbacks", None) or []
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = [
                *(callbacks if isinstance(callbacks, list | tuple) else [callbacks]),
                guard,
            ]
            callbacks.sort(key=lambda callback: isinstance(callback, Checkpoint))
            callbacks = [unfinished, SeedSteps(), *callbacks]
        self._begin_averages()
        history = super().fit(x, *args, callbacks=callbacks, **kwargs)
        guard.raise_if_stopped()
        return history

    def _begin_averages(self) -> None:
        """Let averages start as the weights: Keras takes them in the end, even after no step."""
        optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if not getattr(optimizer, "use_ema", False):
            return
        if ops.convert_to_numpy(optimizer.iterations) == 0:
            optimizer._update_model_variables_moving_average(self.trainable_variables)

    def _unfinished_epoch(self, x: Any, arguments: Config) -> UnfinishedEpoch:
        """What lets `fit` go on in the middle of an epoch, if the data and the model do."""
        state, self.resumed = self.resumed, None
        epochs = getattr(x, "epochs", None)
        first_batch = getattr(epochs, "first_batch", 0)
        if first_batch and arguments.get("steps_per_epoch"):
            raise ValueError("steps_per_epoch cannot be given with data that has a first_batch.")
        if state is not None:
            given = {"initial_epoch": arguments.get("initial_epoch", 0), "first_batch": first_batch}
            wanted = {"initial_epoch": state.epoch, "first_batch": state.batch}
            if epochs is not None:
                given["epoch"], wanted["epoch"] = epochs.epoch, state.epoch
            if given != wanted:
                self.resumed = state
                raise ValueError(
                    f"the resumed run goes on with {wanted} of fit and of its data, got {given}."
                )
        return UnfinishedEpoch(state, first_batch, epochs)

    def get_compile_config(self) -> Config | None:
        """What `compile` was given; Keras would save what "auto" came to on this backend."""
        config = super().get_compile_config()
        return config and {
            **config,
            "jit_compile": self.asked_jit_compile,
            "stop_after_skipped": self.stop_after_skipped,
        }

    def compile_from_config(self, config: Config) -> None:
        """Compile as a saved model was compiled."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    # ---------------------------------------------------------------- embedding

    def pool(self, features: Tensor) -> Tensor:
        """The embedding of a feature map: its mean over positions, float32 (B, D)."""
        return ops.mean(ops.cast(features, "float32"), axis=(1, 2))

    # Not properties: a model that is saved looks into all of those, and would build these.

    def _embedder(self) -> keras.Model:
        if self.extra.embedder is None:
            images = keras.Input(self.backbone.image_shape, dtype="float32", name="images")
            embedding = self.pool(self.backbone(self.normalise(images)))
            self.extra.embedder = keras.Model(images, embedding)
        return self.extra.embedder

    def _block_embedder(self) -> keras.Model:
        if self.extra.block_embedder is None:
            images = keras.Input(self.backbone.image_shape, dtype="float32", name="images")
            blocks = self.backbone.block_outputs(self.normalise(images))
            self.extra.block_embedder = keras.Model(images, [self.pool(block) for block in blocks])
        return self.extra.block_embedder

    def embed(self, images: Any, batch_size: int | None = None) -> np.ndarray:
        """Embed images, nothing masked: for search, kNN and clustering.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255, or a dataset of image batches or
                (images, labels) batches.
            batch_size: images at a time, for arrays; 32 if None.

        Returns:
            float32 array (N, D), the mean of the backbone's features over positions.
        """
        return np.asarray(_predicted(self._embedder(), images, batch_size))

    def embed_blocks(self, images: Any, batch_size: int | None = None) -> list[np.ndarray]:
        """Embed images by every block's output.

        Args:
            images: as for `embed`.
            batch_size: as for `embed`.

        Returns:
            A float32 array (N, D) for each block, first to last.

        Raises:
            NotImplementedError: for a backbone that does not consist of blocks.
        """
        embedded = _predicted(self._block_embedder(), images, batch_size)
        return embedded if isinstance(embedded, list) else [embedded]

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Any:
        """A model of this configuration, with new weights."""
        parts = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            for name, value in config.items()
            if isinstance(value, dict)
        }
        return cls(**{**config, **parts})


def _predicted(model: keras.Model, images: Any, batch_size: int | None) -> Any:
    """What the model gives for all images."""
    with warnings.catch_warnings():
        # Keras takes the end of data of unknown size for an interruption.
        warnings.filterwarnings("ignore", "Your input ran out of data")
        return model.predict(images, batch_size=batch_size, verbose=0)
