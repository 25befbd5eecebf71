"""The training step on JAX: a pure function from state and data to logs and new state."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras

from keras_simmim.backend.gradients import poisoned_unless
from keras_simmim.backend.jax import distribution
from keras_simmim.backend.jax.kernels import total_norm
from keras_simmim.backend.types import Tensor


class TrainStep:
    """Train and test on one batch, as Keras' JAX trainer calls it."""

    def train_step(
        self: Any, state: tuple[Sequence[Tensor], ...], data: Any
    ) -> tuple[dict[str, Tensor], tuple[Sequence[Tensor], ...]]:
        """Take one optimizer step on a batch, unless it is not finite; return logs and state."""
        trainable, non_trainable, optimizer, metrics = state
        data = distribution.shared(data)
        names = {id(variable): index for index, variable in enumerate(self.non_trainable_variables)}
        before = [non_trainable[names[id(variable)]] for variable in self.kept_variables]
        (_, (measured, scale, non_trainable)), gradients = jax.value_and_grad(
            self._scaled_loss, has_aux=True
        )(trainable, non_trainable, optimizer, data)
        norm = total_norm(gradients) / scale
        finite = jax.numpy.isfinite(norm) & jax.numpy.isfinite(measured.losses["loss"][0])
        # A loss-scaling optimizer must see what it is to skip.
        scales = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        if scales:
            gradients = poisoned_unless(finite, gradients)

        def applied() -> tuple[list[Tensor], list[Tensor]]:
            new = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return list(new[0]), list(new[1])

        old = (list(trainable), list(optimizer))
        if scales:
            new = applied()
        elif jax.default_backend() == "cpu":
            # XLA compiles twice as long if it can fuse the update with the gradients.
            new = jax.lax.cond(finite, applied, lambda: old)
        else:
            # An accelerator's host would wait for the condition.
            new = jax.tree.map(lambda a, b: jax.numpy.where(finite, a, b), applied(), old)
        trainable, optimizer = new
        with self._stateless(trainable, non_trainable) as scope:
            self.finish_step(finite, before)
            skipped = self.skipped_log()
        non_trainable = _values(scope, self.non_trainable_variables)
        measured.losses["gradient_norm"] = (norm, measured.losses["loss"][1])
        logs, metrics = self._stateless_metrics(metrics, measured, finite)
        return logs | skipped, (trainable, non_trainable, optimizer, metrics)

    def test_step(
        self: Any, state: tuple[Sequence[Tensor], ...], data: Any
    ) -> tuple[dict[str, Tensor], tuple[Sequence[Tensor], ...]]:
        """Measure a batch; return the logs and the new state."""
        trainable, non_trainable, metrics = state
        data = distribution.shared(data)
        with self._stateless(trainable, non_trainable) as scope:
            measured = self.measure(data, training=False)
        non_trainable = _values(scope, self.non_trainable_variables)
        logs, metrics = self._stateless_metrics(metrics, measured)
        return logs, (trainable, non_trainable, metrics)

    def fit(self: Any, *arguments: Any, **options: Any) -> Any:
        """Train; an error, or an interruption by the user, leaves the weights in the model."""
        data = arguments[0] if arguments else options.get("x")
        parts = distribution.batches_of(data, options.get("batch_size"))
        with self._keeping_weights(), parts:
            return super().fit(*arguments, **options)  # type: ignore[misc]

    def evaluate(self: Any, *arguments: Any, **options: Any) -> Any:
        """Evaluate; an error leaves the weights in the model."""
        with self._keeping_weights(), distribution.whole_batches():
            return super().evaluate(*arguments, **options)  # type: ignore[misc]

    def predict(self: Any, *arguments: Any, **options: Any) -> Any:
        """Predict; an error leaves the weights in the model."""
        with self._keeping_weights(), distribution.whole_batches():
            return super().predict(*arguments, **options)  # type: ignore[misc]

    @contextlib.contextmanager
    def _keeping_weights(self: Any) -> Iterator[None]:
        """Give the model its weights back in the end, whatever happens.

        Keras takes them out of it for the time of training.
        """
        try:
            yield
        finally:
            # Keras has the attribute from the first step on.
            state = getattr(self, "_jax_state", None) or {}
            arrays = [array for values in state.values() for array in values or ()]
            # What a step was given that was interrupted may be gone.
            if not self._jax_state_synced and not any(each.is_deleted() for each in arrays):
                self.jax_state_sync()
            self._jax_state = None

    def _get_jax_state(self: Any, purge_model_variables: bool = False, **wanted: bool) -> Any:
        """Return the state as Keras does, and remember it where the model forgets it."""
        state = super()._get_jax_state(  # type: ignore[misc]
            purge_model_variables=purge_model_variables, **wanted
        )
        if purge_model_variables:
            names = [name for name, is_wanted in wanted.items() if is_wanted]
            self._jax_state = dict(zip(names, state, strict=True))
        return state

    def in_one_piece(self: Any, function: Callable, *arguments: Tensor) -> Any:
        """Return `function(*arguments)`, compiled as a whole.

        JAX would compile each operation alone. Functions of one name share the compiled program.
        """
        pieces, variables = self.pieces, self.weights

        def stateless(values: list[Tensor], *arguments: Tensor) -> Any:
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return function(*arguments)

        piece = pieces.setdefault(function.__name__, jax.jit(stateless))
        return piece([variable.value for variable in variables], *arguments)

    def _stateless(
        self: Any, trainable: Sequence[Tensor], non_trainable: Sequence[Tensor]
    ) -> keras.StatelessScope:
        """Return a scope in which the model's variables have these values."""
        return keras.StatelessScope(
            state_mapping=[
                *zip(self.trainable_variables, trainable, strict=True),
                *zip(self.non_trainable_variables, non_trainable, strict=True),
            ]
        )

    def _scaled_loss(
        self: Any,
        trainable: Sequence[Tensor],
        non_trainable: Sequence[Tensor],
        optimizer: Sequence[Tensor],
        data: Any,
    ) -> tuple[Tensor, tuple[Any, Tensor, list[Tensor]]]:
        with self._stateless(trainable, non_trainable) as scope:
            measured = self.measure(data, training=True)
        mapping = list(zip(self.optimizer.variables, optimizer, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            scale = self.optimizer.scale_loss(jax.numpy.ones(()))
        non_trainable = _values(scope, self.non_trainable_variables)
        return measured.losses["loss"][0] * scale, (measured, scale, non_trainable)

    def _stateless_metrics(
        self: Any,
        metrics: Sequence[Tensor],
        measured: Any,
        finite: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        mapping = list(zip(self.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logs = self.update_metrics(measured, finite)
        return logs, _values(scope, self.metrics_variables)


def _values(scope: keras.StatelessScope, variables: Sequence[Any]) -> list[Tensor]:
    """Return the values that variables have at the end of a stateless scope."""
    return [
        variable.value if (value := scope.get_current_value(variable)) is None else value
        for variable in variables
    ]
