"""What the official recipes for pretraining and for fine-tuning share."""

from dataclasses import dataclass, fields
from typing import Any

from keras_simmim.backend.types import Config
from keras_simmim.data.arguments import as_integer
from keras_simmim.data.geometry.crop_arguments import CropArguments
from keras_simmim.data.geometry.random_crop import RandomCrop
from keras_simmim.training.selective_adamw import SelectiveAdamW
from keras_simmim.training.warmup_schedule import WarmupSchedule

# In the official code: biases and all other vectors, absolute positions and the class token.
# Layer scales are vectors, and so is our mask token, which theirs is not: recipes name it.
NEVER_DECAYED = (
    "bias",
    "query_bias",
    "value_bias",
    "gamma",
    "beta",
    "attention_scale",
    "mlp_scale",
    "position_embedding",
    "class_token",
)
# The batch that the published rates are for.
RATED_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hold all constants of an official training job, and make its optimizer.

    Args:
        name: of the recipe.
        steps_per_epoch: batches of an epoch. The schedule counts batches, also where gradient
            accumulation makes one update of several.
        batch_size: images that one update is computed from: those of all devices and, with
            gradient accumulation, of all batches that it adds up.
        image_size: side of the images, in pixels.
        epochs: passes over the images.
        warmup_epochs: of these, the first, in which the rate rises.
        base_rate: learning rate after the warm-up, for 512 images a batch.
        warmup_rate: learning rate of the first updates, for 512 images a batch.
        drop_path_rate: of the backbone's last block.
        without_decay: names of the weights that do not decay, the last parts of their paths.
        crop_scale: bounds of a crop's share of the image's area.
        crop_ratio: bounds of a crop's width divided by its height.
        flip: whether half of the images are mirrored left to right.
        weight_decay: of all other weights.
        global_clipnorm: the largest norm of all gradients together.

    Raises:
        ValueError: for `steps_per_epoch` or `batch_size` below 1.
        TypeError: if one of them is no integer.
    """

    name: str
    steps_per_epoch: int
    batch_size: int
    image_size: int
    epochs: int
    warmup_epochs: int
    base_rate: float
    warmup_rate: float
    drop_path_rate: float
    without_decay: tuple[str, ...]
    crop_scale: tuple[float, float]
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True
    weight_decay: float = 0.05
    global_clipnorm: float = 5.0

    def __post_init__(self) -> None:
        as_integer("steps_per_epoch", self.steps_per_epoch, minimum=1)
        as_integer("batch_size", self.batch_size, minimum=1)

    @property
    def schedule(self) -> WarmupSchedule:
        """Return the learning rate of every update, for this batch size."""
        raise NotImplementedError

    @property
    def crop(self) -> RandomCrop:
        """Return the crop of the images, for the sources of `ks.data`."""
        return RandomCrop(self.image_size, self.crop_scale, self.crop_ratio, self.flip)

    @property
    def augmentation(self) -> CropArguments:
        """Return the parts of the crop, for images of another size than the recipe's."""
        return {"crop_scale": self.crop_scale, "crop_ratio": self.crop_ratio, "flip": self.flip}

    def optimizer(self, **arguments: Any) -> SelectiveAdamW:
        """Make an optimizer with this recipe's constants.

        Args:
            **arguments: of `SelectiveAdamW`, such as `gradient_accumulation_steps`.
        """
        constants = {
            "learning_rate": self.schedule,
            "weight_decay": self.weight_decay,
            "without_decay": self.without_decay,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-8,
            "global_clipnorm": self.global_clipnorm,
        }
        return SelectiveAdamW(**{**constants, **arguments})

    def scaled(self, rate: float) -> float:
        """Scale a rate for 512 images a batch, for this batch size."""
        return rate * self.batch_size / RATED_BATCH

    def get_config(self) -> Config:
        """Return all constants."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_config(cls, config: Config) -> "Recipe":
        """Make a recipe of these constants."""
        # What was saved as JSON has lists instead of tuples.
        names = {field.name for field in fields(cls)}
        constants: Config = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in config.items()
            # Earlier versions had some that nothing reads any more.
            if name in names
        }
        return cls(**constants)
