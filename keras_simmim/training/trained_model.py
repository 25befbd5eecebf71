"""A model that measures its own losses: its training step, its guard, and how `fit` goes on."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backend import devices, distribution, kernels, processes, step
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.training.callbacks.empty_means import EmptyMeans
from keras_simmim.training.callbacks.save_last import SaveLast
from keras_simmim.training.callbacks.seed_steps import SeedSteps
from keras_simmim.training.callbacks.stop_when_asked import StopWhenAsked
from keras_simmim.training.callbacks.stop_when_skipping import StopWhenSkipping
from keras_simmim.training.class_weight import check_class_weight
from keras_simmim.training.going_on import unfinished_epoch
from keras_simmim.training.joined_processes import join_processes
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
    # How many classes there are to weigh.
    num_classes: int | None = None

    def __init__(self, **kwargs: Any) -> None:
        # Inputs must reach the model as they are under any precision policy.
        super().__init__(autocast=False, **kwargs)
        self.trackers: list[keras.metrics.Mean] = []
        self.user_metrics = UserMetrics()
        # What JAX has compiled of this model in one piece, by name.
        self.pieces: dict[str, Any] = {}
        self.stop_after_skipped: int | None = 20
        # What `fit` was given, one factor for each class.
        self.class_weight: tuple[float, ...] | None = None
        # The weights that `compile` made an optimizer for.
        self.compiled_weights: tuple[int, ...] | None = None
        # What `ks.training.resume` leaves for the next `fit`.
        self.resumed: RunState | None = None
        self.backend_seed: int | None = None
        # What `Checkpoint` asks for within a `fit`; None where it must save at once.
        self.saves: list[Callable[[], None]] | None = None
        # The signal behind whose step `fit` ends: see `ks.training.stop_gently`.
        self.stopped_by: int | None = None

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

    def measure(self, data: Any, training: bool) -> Measured:
        """Measure a batch by `compute_losses`; one without examples counts nothing.

        The last batch of an epoch leaves replicas of `tf.distribute` without any. What is
        computed for them is that of one example of zeros, since hardly any operation, and no
        mean, is made for none.

        Args:
            data: as `fit` gives it.
            training: whether it is a training step.
        """
        examples, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        first = keras.tree.flatten(examples)[0]
        if first.shape[0]:
            return self.compute_losses(data, training)
        count = ops.shape(first)[0]
        if weights is None:
            weights = ops.ones((count,), dtype="float32")
        examples, targets, weights = (
            None if part is None else keras.tree.map_structure(kernels.never_empty, part)
            for part in (examples, targets, weights)
        )
        measured = self.compute_losses((examples, targets, weights), training)

        def unless_empty(value: Tensor) -> Tensor:
            return ops.where(count > 0, value, ops.zeros_like(value))

        losses, weights = keras.tree.map_structure(
            unless_empty, (measured.losses, measured.weights)
        )
        return measured._replace(losses=losses, weights=weights)

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
        self.step.assign_add(ops.ones((), dtype="int32"))

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

        trackers = [each for each in self.trackers if each.name in measured.losses]
        pairs = [measured.losses[tracker.name] for tracker in trackers]
        # What replicas measured are shares, of which the mean is the whole.
        rows = [ops.stack([ops.cast(part, "float32") for part in pair]) for pair in pairs]
        whole = unless_skipped(devices.mean_over_replicas(ops.stack(rows)))
        logs = {}
        for index, tracker in enumerate(trackers):
            tracker.update_state(whole[index, 0], sample_weight=whole[index, 1])
            logs[tracker.name] = tracker.result()
        counted = ops.convert_to_tensor(self.trackers[0].count) > 0

        def unless_empty(value: Tensor) -> Tensor:
            return ops.where(counted, ops.cast(value, "float32"), float("nan"))

        results = self.user_metrics.update(measured, unless_skipped)
        return logs | keras.tree.map_structure(unless_empty, results)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """List what `fit` logs and resets, behind all else what evaluations do not have.

        `metrics_names` then also names what `evaluate` gives, one by one.
        """
        trained = [each for each in self.trackers if each.name == "gradient_norm"]
        others = [each for each in self.trackers if each.name != "gradient_norm"]
        return [*others, *self.user_metrics.metrics, *trained]

    @property
    def saved_metrics_variables(self) -> list[keras.Variable]:
        """List the variables of all metrics in the order in which runs are saved."""
        metrics = [*self.trackers, *self.user_metrics.metrics]
        return [variable for metric in metrics for variable in metric.variables]

    # ------------------------------------------------------------------------- compile and fit

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        *,
        jit_compile: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        """Choose the optimizer; the other arguments are those of `keras.Model.compile`.

        Args:
            optimizer: as for `keras.Model.compile`.
            loss: None, since the model brings its own.
            jit_compile: as for `keras.Model.compile`; left off on several replicas of TensorFlow,
                whose messages XLA cannot compile.
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
        for name in ("loss_weights", "weighted_metrics"):
            if kwargs.get(name):
                raise ValueError(
                    f"{type(self).__name__} brings its own losses, got {name}={kwargs[name]!r}."
                )
        if loss is not None:
            raise ValueError(f"{type(self).__name__} brings its own losses, got loss={loss!r}.")
        self.asked_jit_compile = jit_compile
        compiles = distribution.compiles_steps()
        super().compile(optimizer, jit_compile=jit_compile if compiles else False, **kwargs)
        scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        layers = [each for each in self._flatten_layers() if each.compute_dtype == "float16"]
        if layers and not scaled:
            warnings.warn(
                f"training {layers[0].name!r} in {layers[0].dtype_policy.name!r} without a loss "
                "scale loses small gradients and divides by zero; use the policy "
                "'mixed_float16', which scales the loss, or 'mixed_bfloat16', which need not.",
                stacklevel=2,
            )
        take_depths(self.optimizer, self)
        # TensorFlow would trace a first step that creates these, and then trace the step anew.
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        self.compiled_weights = tuple(map(id, self.trainable_variables))

    def make_train_function(self, force: bool = False) -> Any:
        """Make what takes a step, as Keras asks for it.

        Raises:
            ValueError: if other weights learn than those that `compile` made an optimizer for.
        """
        now, then = set(map(id, self.trainable_variables)), self.compiled_weights
        if then is not None and now != set(then):
            frozen, thawed = len(set(then) - now), len(now - set(then))
            raise ValueError(
                f"`trainable` was changed after compile: {frozen} weights were frozen and {thawed} "
                "thawed since. Call compile again, with a new optimizer."
            )
        return super().make_train_function(force)

    def before_fit(self, arguments: Config) -> None:
        """Look at the arguments of a `fit` that is about to begin, and change them where needed.

        Args:
            arguments: of `fit`, by name.
        """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | None = None,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Train as `keras.Model.fit` does; a `tf.data.Dataset` is taken in its own order.

        `callbacks.Checkpoint` saves behind all other callbacks, so that what those have written
        is there when it is counted.

        Args:
            x: images of 0–255, or a dataset of batches.
            y: integer labels, for arrays.
            batch_size: images of a batch, for arrays; 32 if None.
            epochs: passes over the images.
            verbose: as for `keras.Model.fit`.
            callbacks: one, or a list.
            validation_split: as for `keras.Model.fit`.
            validation_data: as for `keras.Model.fit`.
            shuffle: whether arrays and a `PyDataset` are shuffled, which they are if None.
            class_weight: factors of the classification loss by class, 1 for those that are not
                named. Images without a label have none, and other losses are not touched.
            sample_weight: what each image counts, for arrays.
            **kwargs: the further arguments of `keras.Model.fit`.

        Returns:
            Keras' History.

        Raises:
            FloatingPointError: after `stop_after_skipped` steps in a row that were not finite.
            ValueError: after `ks.training.resume`, for an `initial_epoch` or for data of
                `ks.data` that do not go on where the run stopped; for layers frozen or thawed
                since `compile`; for class weights of other classes than the model's.
        """
        arguments = {
            "x": x,
            "y": y,
            "batch_size": batch_size,
            "epochs": epochs,
            "verbose": verbose,
            "callbacks": callbacks,
            "validation_split": validation_split,
            "validation_data": validation_data,
            "shuffle": _shuffles(x) if shuffle is None else shuffle,
            "sample_weight": sample_weight,
            **kwargs,
        }
        self.before_fit(arguments)
        self._assert_compile_called("fit")
        self._take_class_weight(class_weight)
        join_processes(self, arguments)
        # A run that may not go on here may do so elsewhere.
        unfinished = unfinished_epoch(self.resumed, arguments)
        self.resumed = None
        arguments["x"] = distribution.own_batches(arguments["x"])
        guard = StopWhenSkipping(self.stop_after_skipped)
        self.saves = self.stopped_by = None
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            given = keras.tree.flatten(callbacks or [])
            before = [EmptyMeans(given), unfinished, SeedSteps(), StopWhenAsked()]
            arguments["callbacks"] = [*before, *given, guard, SaveLast(given)]
            self.saves = []
        self._begin_averages()
        history = super().fit(**arguments)
        guard.raise_if_stopped()
        # What the first process wrote is there when any of them goes on.
        processes.wait()
        return history

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step as `keras.Model.train_on_batch` does; for class weights see `fit`."""
        self._take_class_weight(class_weight)
        return super().train_on_batch(x, y, sample_weight, return_dict=return_dict)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Measure the losses as `keras.Model.evaluate` does, whose arguments it takes.

        Raises:
            ValueError: before `compile`.
        """
        self._assert_compile_called("evaluate")
        return super().evaluate(*args, **kwargs)

    def _take_class_weight(self, class_weight: dict[int, float] | None) -> None:
        """Keep class weights; Keras would make weights of images of them, for all losses alike."""
        weights = None
        if class_weight is not None:
            weights = check_class_weight(class_weight, self.num_classes)
        if weights != self.class_weight:
            # They are constants of the compiled step.
            self.class_weight = weights
            self.train_function = None

    def _begin_averages(self) -> None:
        """Let averages start as the weights: Keras takes them in the end, even after no step."""
        optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if not getattr(optimizer, "use_ema", False):
            return
        if ops.convert_to_numpy(optimizer.iterations) == 0:
            optimizer._update_model_variables_moving_average(self.trainable_variables)

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


def _shuffles(data: Any) -> bool:
    """Tell whether Keras is to shuffle data; data sets, loaders and generators have an order."""
    return hasattr(data, "shape") or isinstance(data, list | keras.utils.PyDataset)
