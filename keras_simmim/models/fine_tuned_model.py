"""What tasks on pretrained features share: freezing, recipes, names of classes, copies."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config
from keras_simmim.data.pipeline.origin import origin
from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.models.given_data import steps_and_batch
from keras_simmim.models.pretrained_network import pretrained_network
from keras_simmim.training.fine_tuning_recipe import FineTuningRecipe, automatic_recipe


class FineTunedModel(BackboneModel):
    """Put a task on a pretrained network, and let all of it learn from labels, or a part.

    With `recipe="auto"`, `fit` needs no `compile`: it takes the paper's optimizer, rates by layer
    and schedule for as many steps as it is asked to run. A second `fit` begins a schedule anew;
    one that was resumed, or has an `initial_epoch`, goes on with it.

    Args:
        backbone: the pretrained network, or a new one.
        num_classes: number of classes.
        class_names: the classes' names in the order of their labels; taken from the first data
            set that has any if None.
        frozen: True: the backbone does not learn; a number: neither do its stem and so many of
            its first blocks. The backbone is then a copy of the one given, so that no other model
            freezes with it.
        recipe: "auto", a `FineTuningRecipe`, or None.
        seed: of all that is drawn in training, which is a function of (seed, step).
        **options: of `BackboneModel`.

    Raises:
        ValueError: for arguments out of range.
    """

    num_classes: int
    # Of `recipe="auto"`, after the warm-up and for 512 images; the official one if None.
    recipe_rate: ClassVar[float | None] = None

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        frozen: bool | int = False,
        recipe: str | FineTuningRecipe | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        most = max(backbone.num_blocks, int(frozen is True))
        if not isinstance(frozen, int) or not 0 <= frozen <= most:
            raise ValueError(
                f"frozen must be a bool or a number of blocks from 0 to {backbone.num_blocks}, "
                f"got {frozen!r}."
            )
        if not isinstance(recipe, FineTuningRecipe) and recipe not in (None, "auto"):
            raise ValueError(f"recipe must be 'auto', a FineTuningRecipe or None, got {recipe!r}.")
        if class_names is not None and len(class_names) != num_classes:
            raise ValueError(
                f"class_names must be {num_classes} names, one for each of num_classes, "
                f"got {list(class_names)}."
            )
        if frozen:
            backbone = backbone.copy()
            backbone.freeze(None if frozen is True else frozen)
        super().__init__(backbone, **options)
        self.class_names = None if class_names is None else list(class_names)
        self.num_classes = num_classes
        self.frozen = frozen
        self.recipe = recipe
        self.by_recipe = False
        self.seed = seed

    def learns(self, training: bool | None) -> bool:
        """Tell whether the backbone is being trained, which one that was frozen whole is not."""
        whole = self.frozen is True
        thawed = not whole or any(weight.trainable for weight in self.backbone.weights)
        return bool(training) and thawed

    # ------------------------------------------------------------------- training

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **kwargs: Any) -> None:
        """Choose the optimizer; see `TrainedModel.compile` for the arguments."""
        self.by_recipe = bool(kwargs.pop("by_recipe", False))
        super().compile(optimizer, loss, **kwargs)

    def get_compile_config(self) -> Config | None:
        """Return what `compile` was given, and whether a recipe gave it."""
        config = super().get_compile_config()
        return config and {**config, "by_recipe": self.by_recipe}

    def before_fit(self, arguments: Config) -> None:
        """Take the classes' names, check the labels, and compile as a recipe says.

        Args:
            arguments: of `fit`, by name.

        Raises:
            ValueError: for labels that do not suit the model, or a recipe for an unknown number
                of steps.
        """
        super().before_fit(arguments)
        names = origin(arguments["x"], "class_names")
        if self.class_names is None and names:
            self.class_names = list(names)
        self.check_given(arguments)
        is_anew = self.resumed is None and not arguments.get("initial_epoch")
        if self.recipe is not None and (not self.compiled or (self.by_recipe and is_anew)):
            # A recipe's schedule has come to its end with the `fit` that it was made for.
            self._compile_recipe(arguments)

    def check_given(self, arguments: Config) -> None:
        """Raise ValueError for data that the task cannot learn from.

        Args:
            arguments: of `fit`, by name.
        """

    def _compile_recipe(self, arguments: Config) -> None:
        recipe = self.recipe
        if not isinstance(recipe, FineTuningRecipe):
            steps, size = steps_and_batch(arguments)
            recipe = automatic_recipe(
                self.backbone, steps, size, arguments["epochs"], self.recipe_rate
            )
        self.compile(recipe.optimizer(), by_recipe=True)

    # ------------------------------------------------------------ making and saving

    @classmethod
    def from_pretrained(
        cls,
        source: Any,
        num_classes: int,
        image_shape: tuple[int, int, int] | None = None,
        drop_path_rate: float | None = None,
        **arguments: Any,
    ) -> Self:
        """Put the task on a copy of a pretrained network, with its mean and deviation.

        A table of relative positions that blocks share is copied to each, and the network's last
        norm gives way to the head's own.

        Args:
            source: a `SimMIM` or `Backbone`, a `.keras` file of one, the folder of a run or of its
                checkpoints, or what `SimMIM.from_preset` takes.
            num_classes: number of classes.
            image_shape: (H, W, C) to which positions are interpolated; the source's if None.
            drop_path_rate: of the backbone's last block; if None the recipe's, else the source's.
            **arguments: of the constructor.

        Raises:
            ValueError: for a source that is none of these.

        Example:
        ```python
        import keras_simmim as ks
        import numpy as np

        backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
        classifier = ks.ImageClassifier.from_pretrained(backbone, num_classes=2, recipe="auto")
        classifier.predict(np.zeros((8, 16, 24, 3)), verbose=0).shape   # (8, 2)
        ```
        """
        recipe = arguments.get("recipe")
        if drop_path_rate is None and recipe is not None:
            is_recipe = isinstance(recipe, FineTuningRecipe)
            drop_path_rate = recipe.drop_path_rate if is_recipe else 0.1
        backbone, normalization = pretrained_network(source)
        backbone = backbone.for_task(image_shape, drop_path_rate)
        return cls(backbone, num_classes, **{**normalization, **arguments})

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "class_names": self.class_names,
            "frozen": self.frozen,
            "recipe": keras.saving.serialize_keras_object(self.recipe),
            "seed": self.seed,
        }
