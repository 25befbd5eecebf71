"""A classifier of texts on pretrained features: all of it learns from labels, or only its head."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.heads import ClassificationHead
from keras_simmim.models.classifier import Classifier
from keras_simmim.training.fine_tuning_recipe import FineTuningRecipe
from keras_simmim.training.tracked_mean import TrackedMean


@keras.saving.register_keras_serializable("keras_simmim")
class TextClassifier(Classifier):
    """Classify texts, or any sequences of tokens, by the mean of their features and a norm.

    With `recipe="auto"`, `fit` needs no `compile`: it takes the paper's optimizer, rates by layer
    and schedule for as many steps as it is asked to run. Padding counts nowhere.

    Args:
        backbone: a `SequenceTransformer`, pretrained or new.
        num_classes: number of classes, at least 2.
        class_names: the classes' names in the order of their labels; taken from the first data
            set that has any if None.
        frozen: whether only the head learns, or how many of the first blocks do not, with the
            tables; the backbone is then a copy of the one given.
        recipe: "auto", a `FineTuningRecipe`, or None.
        label_smoothing: probability that is spread over all classes in training.
        tokenizer: of texts, a `ks.data.Tokenizer` or any function from a text to a list of ids;
            that of the pretrained model or of the data if None.
        seed: of all that is drawn in training.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for arguments out of range, or a backbone of images.

    Example:
    ```python
    import keras
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.SequenceTransformer(
        128, length=8, num_layers=1, num_heads=2, hidden_dim=8
    )
    classifier = ks.TextClassifier(
        backbone, num_classes=2, tokenizer=lambda text: [ord(letter) for letter in text]
    )
    classifier.compile(keras.optimizers.AdamW(1e-3))
    classifier.fit(["so good", "so bad"], np.array([1, 0]), verbose=0)
    classifier.predict(["so good", "not bad", ""], verbose=0).shape   # (3, 2)
    ```
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        frozen: bool | int = False,
        recipe: str | FineTuningRecipe | None = None,
        label_smoothing: float = 0.0,
        tokenizer: Any = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if not backbone.takes_tokens:
            raise ValueError(
                "backbone must be one of tokens, such as SequenceTransformer, got "
                f"{type(backbone).__name__}; for images there is ks.ImageClassifier."
            )
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"label_smoothing must be at least 0 and below 1, got {label_smoothing!r}."
            )
        super().__init__(
            backbone,
            num_classes,
            class_names,
            frozen,
            recipe,
            seed,
            tokenizer=tokenizer,
            **kwargs,
        )
        self.label_smoothing = float(label_smoothing)
        self.classifier = ClassificationHead(
            num_classes, norm=True, name="classifier", dtype=self.dtype_policy
        )
        self.trackers = [TrackedMean(n) for n in ("loss", "gradient_norm", "accuracy")]
        self.build((None, *backbone.example_shape))

    @property
    def head_shape(self) -> Shape:
        """Give the shape of what the head takes: of embeddings."""
        return (None, self.backbone.feature_shape[-1])

    def head_inputs(self, features: Any) -> Tensor:
        """Return the mean of the features over what is no padding."""
        return ops.cast(self.backbone.pool(features), self.compute_dtype)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
