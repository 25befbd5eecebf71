"""The contract of every objective: one thing that teaches."""

from typing import NamedTuple

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.objectives.masked_pass import MaskedPass


class Measure(NamedTuple):
    """Hold a value for each example, and what each counts.

    Args:
        values: float32 (B,).
        counts: float32 (B,).
        total: float32 scalar that the sum of values times counts is divided by: the batch size
            where every example counts alike, or the sum of the counts.
    """

    values: Tensor
    counts: Tensor
    total: Tensor

    def mean(self) -> Tensor:
        """Average the values over the batch: a scalar, 0 where nothing counts."""
        return ops.divide_no_nan(ops.sum(self.values * self.counts), self.total)


class Objective:
    """Measure how well something was done in a forward pass, for an optimizer to improve.

    An objective is no layer. It uses layers that the model owns, such as its heads, so that it
    may be given several models' or share one with another objective.

    Args:
        weight: factor of its loss in the model's.

    Subclasses have `name`: the loss "<name>_loss" of `measure` is the one that teaches. One that
    `is_batch_statistic` gives the same value for every example: weights of examples then do no
    more than leave some out.
    """

    name: str
    is_batch_statistic: bool = False

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = float(weight)

    def log_names(self) -> tuple[str, ...]:
        """List the names of what `measure` gives."""
        return (f"{self.name}_loss",)

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


def same_for_all(value: Tensor, masked_pass: MaskedPass) -> Measure:
    """Give a statistic of the whole batch, a scalar, to each of its examples."""
    ones = ops.ones_like(masked_pass.weights)
    return Measure(value * ones, ones, ops.sum(ones))
