"""A model that measures its own losses: its training step, its guard, and how `fit` goes on."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backend import step
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.training.callbacks.save_last import SaveLast
from keras_simmim.training.callbacks.seed_steps import SeedSteps
from keras_simmim.training.callbacks.stop_when_skipping import StopWhenSkipping
from keras_simmim.training.callbacks.unfinished_epoch import UnfinishedEpoch
from keras_simmim.training.measured import Measured
from keras_simmim.training.run_state import RunState
from keras_simmim.training.selective_adamw import take_depths
from keras_simmim.training.user_metrics import UserMetrics


class TrainedModel(step.TrainStep, keras.Model):
    """Train by steps that are counted, skipped if they are not finite, and resumed exactly.

    Subclasses have `compute_losses(data, training)`, which gives a `Measured`; `trackers`, a
    running mean for each loss that is to be logged; and `depth_of(variable)` and `num_blocks`, as
    a `Backbone` has them, for learning rates by layer.

    Args:
        **kwargs: passed to `keras.Model`.
    """

    built: bool

    def __init__(self, **kwargs: Any) -> None:
        # Inputs must reach the model as they are under any precision policy.
        super().__init__(autocast=False, **kwargs)
        self.trackers: list[keras.metrics.Metric] = []
        self.user_metrics = UserMetrics()
        # What JAX has compiled of this model in one piece, by name.
        self.pieces: dict[str, Any] = {}
        # What `ks.training.resume` leaves for the next `fit`.
        self.resumed: RunState | None = None
        self.backend_seed: int | None = None
        # What `Checkpoint` asks for within a `fit`; None where it must save at once.
        self.saves: list[Callable[[], None]] | None = None

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

    # ---------------------------------------------------------- what a training step is made of

    def compute_losses(self, data: Any, training: bool) -> Measured:
        """Measure a batch as `fit` gives it, in training or not."""
        raise NotImplementedError

    @property
    def kept_variables(self) -> list[keras.Variable]:
        """List what a step that is not finite must leave alone, beside weights and optimizer."""
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
        """Give the number of steps that were skipped so far, for the logs."""
        return {"skipped_steps": ops.cast(self.skipped_steps, "float32")}

    def update_metrics(self, measured: Measured, finite: Tensor | None = None) -> dict[str, Tensor]:
        """Fold one batch's measurements into the running means and return those as logs.

        Args:
            measured: from `compute_losses`.
            finite: bool scalar; nothing is folded in if it is false.
        """

        def unless_skipped(value: Tensor) -> Tensor:
            return value if finite is None else ops.where(finite, value, ops.zeros_like(value))

        logs = {}
        for tracker in self.trackers:
            if tracker.name in measured.losses:
                value, weight = map(unless_skipped, measured.losses[tracker.name])
                tracker.update_state(value, sample_weight=weight)
                logs[tracker.name] = tracker.result()
        return logs | self.user_metrics.update(measured, unless_skipped)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """List what `fit` logs and resets."""
        return [*self.trackers, *self.user_metrics.metrics]

    # ------------------------------------------------------------------------- compile and fit

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
        take_depths(self.optimizer, self)
        # TensorFlow would trace a first step that creates these, and then trace the step anew.
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does; a `tf.data.Dataset` is taken in its own order.

        `callbacks.Checkpoint` saves behind all other callbacks, so that what those have written
        is there when it is counted.

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
        self.saves = None
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            given = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
            callbacks = [unfinished, SeedSteps(), *given, guard, SaveLast()]
            self.saves = []
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
        """Make what lets `fit` go on in the middle of an epoch, if the data and the model do."""
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

    # ---------------------------------------------------------------------------------- saving

    def get_compile_config(self) -> Config | None:
        """Return what `compile` was given; Keras would save what "auto" came to here."""
        config = super().get_compile_config()
        return config and {
            **config,
            "jit_compile": self.asked_jit_compile,
            "stop_after_skipped": self.stop_after_skipped,
        }

    def compile_from_config(self, config: Config) -> None:
        """Compile as a saved model was compiled."""
        self.compile(**keras.saving.deserialize_keras_object(config))
