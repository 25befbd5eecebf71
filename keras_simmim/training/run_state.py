"""The state of a run that a saved model lacks."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor


@dataclasses.dataclass(frozen=True)
class RunState:
    """Hold how far a run has come, and the state that Keras leaves out of its files.

    Args:
        epoch: number of the epoch that goes on or begins from here.
        batch: how many of its batches are done.
        step: training steps of the run so far.
        metrics: values of the metrics' variables, so that the epoch's means go on.
        seeds: states of the generators that layers such as dropout draw from.
        backend_seed: of the generator that the backend keeps for itself.
        iterations: updates that the optimizer counts; None in files of earlier versions.
    """

    epoch: int
    batch: int
    step: int
    metrics: list[Any]
    seeds: list[Any]
    backend_seed: int
    iterations: int | None = None

    @classmethod
    def of(cls, model: Any, epoch: int, batch: int) -> "RunState":
        """Take the state of a model that is being trained."""
        return cls(
            epoch=epoch,
            batch=batch,
            step=int(ops.convert_to_numpy(model.step)),
            metrics=_values(model.saved_metrics_variables),
            seeds=_values(_seed_variables(model)),
            backend_seed=model.backend_seed or 0,
            iterations=_iterations(model),
        )

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "RunState":
        """Return the state that a file holds.

        Raises:
            KeyError: for a value that is missing.
            TypeError: for a value of another type.
        """
        fields = dataclasses.fields(cls)
        values = {f.name: content[f.name] for f in fields if f.default is dataclasses.MISSING}
        if content.get("iterations") is not None:
            values["iterations"] = content["iterations"]
        for name, value in values.items():
            is_list = name in ("metrics", "seeds")
            if not (type(value) is list if is_list else type(value) is int and value >= 0):
                raise TypeError(f"{name} is {str(value)[:80]!r}")
        return cls(**values)

    def check_optimizer(self, model: Any) -> None:
        """Raise ValueError unless the optimizer's state was read with the model.

        Keras reads no part of it, and says so in a warning, where there is one weight more or
        less to learn than when it was saved.
        """
        expected, found = self.iterations, _iterations(model)
        if expected is None:
            # All that is known is that updates were made.
            applied = self.step - int(ops.convert_to_numpy(model.skipped_steps))
            optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
            expected = found or applied // (optimizer.gradient_accumulation_steps or 1)
        if found != expected:
            raise ValueError(
                f"the optimizer was not restored: it counts {found} updates after {self.step} "
                "steps. What learns is not what learned when the run was saved, such as layers "
                "that were frozen or thawed after compile. Nothing of the checkpoint is lost: "
                "load model.keras, set `trainable` and compile to begin with a new optimizer."
            )

    def restore_seeds(self, model: Any) -> None:
        """Set the random generators to their states.

        Raises:
            ValueError: for a model with other generators.
        """
        _assign("random generators", _seed_variables(model), self.seeds)
        model.backend_seed = self.backend_seed

    def restore_metrics(self, model: Any) -> None:
        """Set the metrics to their states, so that the unfinished epoch's means go on.

        Raises:
            ValueError: for a model with other metrics.
        """
        _assign("metrics", model.saved_metrics_variables, self.metrics)


def _iterations(model: Any) -> int:
    """Count the updates of a model's optimizer."""
    return int(ops.convert_to_numpy(model.optimizer.iterations))


def _seed_variables(model: Any) -> list[Any]:
    """List the variables that Keras counts among a model's, but not its weights or metrics."""
    others = {id(variable) for variable in (*model.weights, *model.metrics_variables)}
    return [v for v in model.non_trainable_variables if id(v) not in others]


def _values(variables: list[Any]) -> list[Any]:
    return [np.asarray(ops.convert_to_numpy(variable)).tolist() for variable in variables]


def _assign(name: str, variables: list[Tensor], values: list[Any]) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    try:
        arrays = [np.asarray(v, d.dtype) for v, d in zip(values, variables, strict=True)]
    except (ValueError, TypeError, OverflowError):
        arrays = []
    if [array.shape for array in arrays] != shapes:
        raise ValueError(
            f"the checkpoint holds the state of {len(values)} {name}, which are not those of the "
            f"model, {[variable.path for variable in variables]}."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
