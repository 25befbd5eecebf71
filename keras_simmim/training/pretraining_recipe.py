"""The official recipes for pretraining."""

from dataclasses import dataclass
from typing import Any

from keras_simmim.training.recipe import NEVER_DECAYED, Recipe
from keras_simmim.training.warmup_cosine import WarmupCosine
from keras_simmim.training.warmup_milestones import WarmupMilestones
from keras_simmim.training.warmup_schedule import WarmupSchedule


@dataclass(frozen=True, kw_only=True)
class PretrainingRecipe(Recipe):
    """Hold all constants of an official pretraining; `pretraining_recipe` makes one.

    Args:
        preset: name of the model for `ks.SimMIM.from_preset`.
        block_size: side of the blocks that the mask hides, in pixels.
        ratio: share of the blocks that it hides, rounded up to a whole block.
        minimum_rate: learning rate at the end of a cosine, for 512 images a batch; None for a
            constant rate with milestones.
        milestones: epochs before which the rate is multiplied by `factor`.
        factor: of the rate at each milestone.

    `Recipe` describes the other arguments.
    """

    preset: str
    crop_scale: tuple[float, float] = (0.67, 1.0)
    block_size: int = 32
    ratio: float = 0.6
    minimum_rate: float | None = None
    milestones: tuple[int, ...] = ()
    factor: float = 0.1

    @property
    def schedule(self) -> WarmupSchedule:
        """Return the learning rate of every update, for this batch size."""
        base, warmup = self.scaled(self.base_rate), self.scaled(self.warmup_rate)
        warmup_steps = self.warmup_epochs * self.steps_per_epoch
        if self.minimum_rate is None:
            milestones = [epoch * self.steps_per_epoch for epoch in self.milestones]
            return WarmupMilestones(base, warmup, warmup_steps, milestones, self.factor)
        minimum, steps = self.scaled(self.minimum_rate), self.epochs * self.steps_per_epoch
        return WarmupCosine(base, warmup, warmup_steps, minimum, steps)


def pretraining_recipe(name: str, steps_per_epoch: int, batch_size: int) -> PretrainingRecipe:
    """Return the official recipe of this name.

    Under the official ViT recipe the mask token and the shared table of relative positions decay;
    under the Swin recipes the tables do and the mask token does not.

    Args:
        name: "simmim_vit_base_800ep", "simmim_swin_base_100ep", "simmim_swin_base_800ep" or
            "simmim_swin_large_800ep".
        steps_per_epoch: batches of an epoch.
        batch_size: images that one update is computed from, over all devices and accumulated
            batches; the learning rates are proportional to it. The published models had 2048.

    Returns:
        A `PretrainingRecipe`.

    Raises:
        ValueError: for an unknown name, or numbers below 1.

    Source: configs/*/simmim_pretrain__*.yaml, optimizer.py and models/simmim.py of
    github.com/microsoft/SimMIM; Xie et al., "SimMIM", CVPR 2022.

    Example:
    ```python
    import keras_simmim as ks

    recipe = ks.training.pretraining_recipe(
        "simmim_swin_base_100ep", steps_per_epoch=625, batch_size=2048
    )
    recipe.ratio, recipe.epochs   # 0.6, 100
    ```
    """
    long = {"epochs": 800, "base_rate": 1e-4, "warmup_rate": 5e-7, "milestones": (700,)}
    short = {"epochs": 100, "base_rate": 2e-4, "warmup_rate": 1e-6, "minimum_rate": 1e-5}
    vit = {"image_size": 224, "drop_path_rate": 0.1, "without_decay": NEVER_DECAYED}
    swin = {
        "image_size": 192,
        "drop_path_rate": 0.0,
        "without_decay": (*NEVER_DECAYED, "mask_token"),
    }
    recipes: dict[str, dict[str, Any]] = {
        "simmim_vit_base_800ep": {"preset": "simmim_vit_base", **vit, **long},
        "simmim_swin_base_100ep": {"preset": "simmim_swin_base", **swin, **short},
        "simmim_swin_base_800ep": {"preset": "simmim_swin_base", **swin, **long},
        "simmim_swin_large_800ep": {"preset": "simmim_swin_large", **swin, **long},
    }
    if name not in recipes:
        raise ValueError(f"name must be one of {sorted(recipes)}, got {name!r}.")
    return PretrainingRecipe(
        name=name,
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        warmup_epochs=10,
        **recipes[name],
    )
