"""AdamW with weight decay and learning rates by a weight's name and layer."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import keras
from keras import ops

from keras_simmim.backend import optimizer
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.training.warmup_schedule import WarmupSchedule


@keras.saving.register_keras_serializable("keras_simmim")
class SelectiveAdamW(optimizer.AdamW):
    """Update weights by AdamW, with weight decay by a weight's name and a rate by its depth.

    `keras.optimizers.AdamW.exclude_from_weight_decay` is forgotten when a model is saved, so that
    a resumed run would decay everything; what is excluded here is part of the configuration.
    Gradients are clipped by the norm of all of them together, whatever their layers.

    Args:
        learning_rate: a number or a schedule. Of a `WarmupSchedule`, layers share the lowest
            rates; of others the whole rate is multiplied.
        weight_decay: factor of the learning rate by which weights shrink in each update.
        without_decay: names of the weights that do not, such as "bias": the last parts of their
            paths, in full.
        layer_decay: factor of the learning rate from one block of the backbone to the one below,
            above 0 and at most 1; 1 for one rate. The model that is compiled with this optimizer
            says which block a weight belongs to; for other models, see `follow`.
        epsilon: see `keras.optimizers.AdamW`.
        **kwargs: passed to `keras.optimizers.AdamW`.

    Raises:
        ValueError: for a `layer_decay` out of range, and in `build` for one below 1 without a
            backbone to follow.

    Source: `build_pretrain_optimizer` and `build_finetune_optimizer` of
    github.com/microsoft/SimMIM.

    Example:
    ```python
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=2, num_heads=2, hidden_dim=8)
    optimizer = ks.training.SelectiveAdamW(1e-3, without_decay=["bias"], layer_decay=0.5)
    ks.ImageClassifier(backbone, num_classes=2).compile(optimizer)
    optimizer.multiplier(backbone.stem.kernel)   # 0.125
    ```
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        weight_decay: float = 0.05,
        *,
        without_decay: Sequence[str] = (),
        layer_decay: float = 1.0,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        if not 0 < layer_decay <= 1:
            raise ValueError(f"layer_decay must be above 0 and at most 1, got {layer_decay!r}.")
        super().__init__(learning_rate, weight_decay=weight_decay, epsilon=epsilon, **kwargs)
        self.without_decay = tuple(without_decay)
        self.layer_decay = float(layer_decay)
        # Not the model itself: Keras would save it with the optimizer.
        self._depth_of: Callable[[Any], int] | None = None
        self._last_depth = 0
        self._multipliers: dict[int, float] = {}
        self._group_rate: Tensor | None = None

    def follow(self, model: Any) -> None:
        """Take the depths of weights from a backbone, or from a model around one.

        `compile` of `SimMIM` and `ImageClassifier` does this.

        Args:
            model: has `depth_of(variable)` and `num_blocks`, as `Backbone` does.
        """
        self._depth_of, self._last_depth = model.depth_of, model.num_blocks + 1

    def build(self, variables: list[Any]) -> None:
        """Create the moments of these weights."""
        if self.layer_decay < 1:
            if self._depth_of is None:
                raise ValueError(
                    f"layer_decay={self.layer_decay} needs a backbone whose blocks it counts: "
                    "compile a SimMIM or an ImageClassifier with this optimizer, or call "
                    "follow(backbone) before it is used."
                )
            self._multipliers = {
                id(variable): self.layer_decay ** (self._last_depth - self._depth_of(variable))
                for variable in variables
            }
        super().build(variables)

    def multiplier(self, variable: Any) -> float:
        """Return what the learning rate of a weight is multiplied by."""
        return self._multipliers.get(id(variable), 1.0)

    def decays(self, variable: Any) -> bool:
        """Tell whether a weight decays."""
        return variable.path.rsplit("/", 1)[-1] not in self.without_decay

    # The three methods below are those that Keras' own backends override.

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        decaying = [variable for variable in variables if self.decays(variable)]
        try:
            for rate, positions in self._groups(decaying):
                self._group_rate = rate
                super()._apply_weight_decay([decaying[position] for position in positions])
        finally:
            self._group_rate = None

    def _backend_update_step(
        self, gradients: list[Tensor], variables: list[Any], learning_rate: Tensor
    ) -> None:
        # Once for all weights: Keras works this out anew for each.
        step = ops.cast(self.iterations, "float32") + 1
        correction = ops.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        for rate, positions in self._groups(variables):
            super()._backend_update_step(
                [gradients[position] for position in positions],
                [variables[position] for position in positions],
                rate * correction,
            )

    def _get_current_learning_rate(self) -> Tensor:
        if self._group_rate is not None:
            return self._group_rate
        return super()._get_current_learning_rate()

    def _groups(self, variables: list[Any]) -> Iterator[tuple[Tensor, list[int]]]:
        """Yield the rates of this update, each with the positions of the variables that have it."""
        groups: dict[float, list[int]] = {}
        for position, variable in enumerate(variables):
            groups.setdefault(self.multiplier(variable), []).append(position)
        if isinstance(self._learning_rate, WarmupSchedule):
            fixed, scaled = self._learning_rate.parts(self._iterations)
        else:
            fixed, scaled = 0.0, ops.convert_to_tensor(super()._get_current_learning_rate())
        for multiplier, positions in groups.items():
            yield fixed + multiplier * scaled, positions

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "without_decay": list(self.without_decay),
            "layer_decay": self.layer_decay,
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """Make an optimizer of this configuration, also of one that still lists depths."""
        config = {name: value for name, value in config.items() if name != "depths"}
        return super().from_config(config, custom_objects=custom_objects)


def take_depths(optimizer: Any, model: Any) -> None:
    """Let an optimizer that has a rate for each block follow a model; leave others alone."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(inner, SelectiveAdamW):
        inner.follow(model)
