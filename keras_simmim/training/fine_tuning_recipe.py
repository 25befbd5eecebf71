"""The official recipes for fine-tuning, and one for any backbone and length of run."""

from dataclasses import dataclass, replace
from typing import Any

import keras

from keras_simmim.training.recipe import NEVER_DECAYED, RATED_BATCH, Recipe
from keras_simmim.training.selective_adamw import SelectiveAdamW
from keras_simmim.training.warmup_cosine import WarmupCosine


@keras.saving.register_keras_serializable("keras_simmim")
@dataclass(frozen=True, kw_only=True)
class FineTuningRecipe(Recipe):
    """Hold all constants of an official fine-tuning; `fine_tuning_recipe` makes one.

    The color jitter is an intended difference from the official code, which asks timm for it but
    gets none, as timm leaves it out beside RandAugment: here it is applied, before RandAugment.
    `ImageClassifier(…, recipe=recipe, color_jitter=0)` switches it off, as does
    `dataclasses.replace(recipe, color_jitter=0.0)`. Another difference is in RandAugment: timm's
    magnitude is normal around 9 with a deviation of 0.5, that of Keras' layer uniform from 0 to 9.

    Args:
        pretraining: name of the pretraining recipe that the weights come from.
        layer_decay: factor of the learning rate from one layer to the one below.
        minimum_rate: learning rate at the end of the cosine, for 512 images a batch.
        label_smoothing: probability that is spread over all classes.
        mixup: both parameters of the beta distribution of mixup's shares.
        cutmix: the same for CutMix.
        cutmix_share: share of the batches that have CutMix; the others have mixup.
        rand_augment_magnitude: largest magnitude of RandAugment's operations, of 10.
        color_jitter: largest distance from 1 of the factors of brightness, contrast and
            saturation; 0 for none.
        erasing: probability that a rectangle of an image is replaced by noise.

    `Recipe` describes the other arguments.

    Example:
    ```python
    from dataclasses import replace

    from keras_simmim.training import fine_tuning_recipe

    recipe = fine_tuning_recipe("simmim_vit_base_800ep_224", steps_per_epoch=625, batch_size=2048)
    recipe = replace(recipe, color_jitter=0.0)
    recipe.erasing   # 0.25
    ```
    """

    pretraining: str
    layer_decay: float
    minimum_rate: float
    crop_scale: tuple[float, float] = (0.08, 1.0)
    label_smoothing: float = 0.1
    mixup: float = 0.8
    cutmix: float = 1.0
    cutmix_share: float = 0.5
    rand_augment_magnitude: float = 9.0
    color_jitter: float = 0.4
    erasing: float = 0.25

    @property
    def schedule(self) -> WarmupCosine:
        """Return the learning rate of every update of the last layer, for this batch size."""
        return WarmupCosine(
            self.scaled(self.base_rate),
            self.scaled(self.warmup_rate),
            self.warmup_epochs * self.steps_per_epoch,
            self.scaled(self.minimum_rate),
            self.epochs * self.steps_per_epoch,
        )

    @property
    def batch_augmentation(self) -> dict[str, float]:
        """Return what becomes of a batch in training, by the names of `ImageClassifier`."""
        return {
            "color_jitter": self.color_jitter,
            "rand_augment": self.rand_augment_magnitude,
            "erasing": self.erasing,
            "mixup": self.mixup,
            "cutmix": self.cutmix,
            "cutmix_share": self.cutmix_share,
            "label_smoothing": self.label_smoothing,
        }

    def optimizer(self, **arguments: Any) -> SelectiveAdamW:
        """Return a new optimizer with this recipe's constants, and a rate for each layer.

        Args:
            **arguments: of `SelectiveAdamW`, such as `gradient_accumulation_steps`.
        """
        return super().optimizer(**{"layer_decay": self.layer_decay, **arguments})


def fine_tuning_recipe(name: str, steps_per_epoch: int, batch_size: int) -> FineTuningRecipe:
    """Return the official recipe of this name: the pretraining's, and the side of the images.

    Unlike in pretraining, the tables of relative positions of a Swin do not decay; a ViT's do.

    Args:
        name: "simmim_vit_base_800ep_224", "simmim_swin_base_100ep_192",
            "simmim_swin_base_100ep_224", "simmim_swin_base_800ep_224" or
            "simmim_swin_large_800ep_224".
        steps_per_epoch: batches of an epoch.
        batch_size: images that one update is computed from, over all devices and accumulated
            batches; the learning rates are proportional to it. The published models had 2048.

    Returns:
        A `FineTuningRecipe`.

    Raises:
        ValueError: for an unknown name, or numbers below 1.

    Source: configs/*/simmim_finetune__*.yaml, config.py, optimizer.py and data/data_finetune.py of
    github.com/microsoft/SimMIM; Xie et al., "SimMIM", CVPR 2022.

    Example:
    ```python
    from keras_simmim.training import fine_tuning_recipe

    recipe = fine_tuning_recipe("simmim_vit_base_800ep_224", steps_per_epoch=625, batch_size=2048)
    recipe.layer_decay   # 0.65
    ```
    """
    vit = {"without_decay": NEVER_DECAYED, "drop_path_rate": 0.1}
    swin = {
        "without_decay": (*NEVER_DECAYED, "mask_token", "relative_position_bias_table"),
        "drop_path_rate": 0.1,
    }
    large = {**swin, "drop_path_rate": 0.2}
    recipes: dict[str, dict[str, Any]] = {
        "simmim_vit_base_800ep_224": {**vit, "layer_decay": 0.65},
        "simmim_swin_base_100ep_192": {**swin, "layer_decay": 0.9},
        "simmim_swin_base_100ep_224": {**swin, "layer_decay": 0.9},
        "simmim_swin_base_800ep_224": {**swin, "layer_decay": 0.8},
        "simmim_swin_large_800ep_224": {**large, "layer_decay": 0.7},
    }
    if name not in recipes:
        raise ValueError(f"name must be one of {sorted(recipes)}, got {name!r}.")
    pretraining, _, image_size = name.rpartition("_")
    return FineTuningRecipe(
        name=name,
        pretraining=pretraining,
        image_size=int(image_size),
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        epochs=100,
        warmup_epochs=20,
        base_rate=1.25e-3,
        warmup_rate=2.5e-7,
        minimum_rate=2.5e-7,
        **recipes[name],
    )


def automatic_recipe(
    backbone: Any,
    steps_per_epoch: int,
    batch_size: int,
    epochs: int,
    base_rate: float | None = None,
) -> FineTuningRecipe:
    """Return the paper's fine-tuning of a ViT or Swin, for a run of any length and batch.

    The official constants, of which a fifth of the epochs warm up; the base rate is for 512 images
    and follows the square root of the batch, as suits Adam. A backbone without blocks has one rate
    for all layers.

    Args:
        backbone: the network to fine-tune.
        steps_per_epoch: batches of an epoch.
        batch_size: images of a batch.
        epochs: passes over the images.
        base_rate: learning rate after the warm-up, for 512 images; the official 1.25e-3 if None.

    Returns:
        A `FineTuningRecipe` named "auto".

    Source: Xie et al., "SimMIM", CVPR 2022, appendix A; Malladi et al., "On the SDEs and scaling
    rules for adaptive gradient algorithms", NeurIPS 2022.
    """
    official = fine_tuning_recipe(backbone.fine_tuning_recipe, steps_per_epoch, batch_size)
    # `scaled` is linear in the batch; what is left of it here is the square root.
    less = (RATED_BATCH / batch_size) ** 0.5
    return replace(
        official,
        name="auto",
        layer_decay=official.layer_decay if backbone.num_blocks else 1.0,
        image_size=backbone.example_shape[0],
        epochs=epochs,
        warmup_epochs=epochs // 5,
        base_rate=(official.base_rate if base_rate is None else base_rate) * less,
        warmup_rate=official.warmup_rate * less,
        minimum_rate=official.minimum_rate * less,
    )
