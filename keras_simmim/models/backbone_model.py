"""A model around a backbone: images or sequences in, an embedding out."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.frozen_parts import freeze_parts, frozen_parts
from keras_simmim.models.embedder import Embedder
from keras_simmim.models.given_data import as_array, until_it_ends
from keras_simmim.models.pixel_inputs import PixelInputs
from keras_simmim.models.token_inputs import TokenInputs
from keras_simmim.training.trained_model import TrainedModel


class BackboneModel(TrainedModel):
    """Take pixels of 0–255 and normalize them, or take tokens, and look through a backbone.

    Subclasses have `outputs`, which says what they make of features, and `compute_losses`, which
    teaches them. What a backbone of images and one of tokens need of their inputs is told apart
    here and nowhere else, by `PixelInputs` and `TokenInputs`.

    Args:
        backbone: the network; it takes normalized floats, or tokens.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None (for a number of
            channels other than 3, the average of its three).
        std: standard deviation of the pixels per channel, likewise.
        tokenizer: of a backbone of tokens, so that texts can be given; None for none.
        value_range: values of the files that became the pixels 0 and 255 (low, high); `fit` takes
            that of its data set if None. A served model, which gets the files' values, scales them.
        channel_names: the channels' names; `fit` takes those of its data set if None.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for a mean or std that does not fit the channels, or that tokens do not have.
    """

    # What `predict` gives of `outputs`, and the classes that it names, where it does.
    predicted: str = "embedding"
    num_classes: int | None = None
    class_names: list[str] | None = None
    # How many items it ranks; None where it ranks none.
    num_items: int | None = None
    # Whether a served model looks at the whole of a file, squeezed, and not at its central crop.
    sees_whole: bool = False

    def __init__(
        self,
        backbone: Backbone,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
        tokenizer: Any = None,
        value_range: tuple[float, float] | None = None,
        channel_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backbone = backbone
        kind: Any = TokenInputs if backbone.takes_tokens else PixelInputs
        self.inputs_taken: Any = kind(backbone, mean, std, tokenizer, value_range, channel_names)
        self.mean, self.std = self.inputs_taken.mean, self.inputs_taken.std
        self.normalize = self.inputs_taken.layer
        self.embedder = Embedder(self)

    def build(self, input_shape: Shape) -> None:
        """Create all weights; subclasses do this in the constructor."""
        if not self.built:
            self.add_step()
            self.built = True

    @property
    def tokenizer(self) -> Any:
        """Give what makes tokens of texts; None for images, or where there is none."""
        return self.inputs_taken.tokenizer

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Give the values of files that became 0 and 255; None where pixels were that already."""
        return self.inputs_taken.value_range

    @property
    def channel_names(self) -> list[str] | None:
        """Give the names of the channels; None where they are not known."""
        return self.inputs_taken.channel_names

    # ------------------------------------------------------------- the path, nothing masked

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Predict what `predicted` names.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
            training: whether layers such as dropout behave as in training.
        """
        return self.outputs(self.features(images, training))[self.predicted]

    def features(self, images: Tensor, training: bool | None = None) -> Any:
        """Return what `outputs` takes: here the feature map (B, h, w, c) of pixels (B, H, W, C).

        Args:
            images: as for a call.
            training: likewise.
        """
        return self.backbone.features(self.normalize(images), training=training)

    def outputs(self, features: Any) -> dict[str, Tensor]:
        """Make of `features` all that a user or a server gets, by name."""
        return {"embedding": self.backbone.pool(features)}

    @property
    def exported_input(self) -> keras.InputSpec:
        """Say what `exported` takes: its name, its shape and its type."""
        taken = self.inputs_taken
        shape = (None, *self.backbone.example_shape)
        return keras.InputSpec(shape=shape, dtype=taken.dtype, name=taken.name)

    def exported(self, images: Tensor, raw: bool = False) -> dict[str, Tensor]:
        """Give all that the exports hold, by name.

        Args:
            images: as `exported_input` says: (B, H, W, C), float, 0–255, or int32 tokens.
            raw: whether for runtimes without TensorFlow, which get the network alone and not what
                comes behind it, such as the suppression of boxes.
        """
        return self.outputs(self.features(images))

    @property
    def signatures(self) -> dict[str, tuple[str, ...]]:
        """Name what each signature of a served model answers with: see `export_saved_model`.

        Of images, all take files but "images". An answer is what `exported` gives, or what the
        server makes of that: see `keras_simmim.export.answers` and `token_signatures`.
        """
        answer = ("embedding",) if self.num_classes is None else ("probabilities", "classes")
        of_arrays = dict.fromkeys(self.inputs_taken.array_signatures, answer)
        return {"serving_default": answer, **of_arrays, "embed": ("embedding",)}

    def sheets(
        self,
        images: Any,
        truth: Any = None,
        scale: int = 1,
        shown_channels: Sequence[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Lay out pictures of what the model makes of images, by name; here there are none.

        `callbacks.Watch` shows all of them, a report the first.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255; as many as to look at.
            truth: what `fit` takes beside them, where the model shows it; or None.
            scale: enlargement, a whole number of pixels for each.
            shown_channels: numbers of the channels to show as red, green and blue, or of one as
                gray; the first three if None, or the first of one or two.

        Returns:
            uint8 arrays (height, width, 1 or 3).
        """
        return {}

    def features_by_stage(self, images: Tensor) -> dict[str, Tensor]:
        """Follow images through the model, and return the features behind each stage.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255, or tokens.

        Returns:
            "stem" (B, h, w, c) and "encoder" (B, h', w', c'), nothing masked.
        """
        inputs = self.normalize(images)
        stem = self.backbone.stem(inputs, training=False)
        return {"stem": stem, "encoder": self.backbone(inputs, training=False)}

    def depth_of(self, variable: keras.Variable) -> int:
        """Return the number of the block that a weight belongs to: see `Backbone.depth_of`."""
        return self.backbone.depth_of(variable)

    @property
    def num_blocks(self) -> int:
        """Count the backbone's blocks: see `Backbone.num_blocks`."""
        return self.backbone.num_blocks

    def before_fit(self, arguments: Config) -> None:
        """Make arrays of lists, and look at the inputs: pixels are 0–255, tokens those known.

        Args:
            arguments: of `fit`, by name.

        Raises:
            ValueError: for tokens that the backbone does not know, or images of another range of
                values, or of other channels, than the model's.
        """
        taken = self.inputs_taken
        taken.before_fit(arguments["x"])
        for name in ("x", "validation_data"):
            taken.check_origin(arguments[name], name)
        arguments["x"] = taken.as_inputs(arguments["x"])
        for name in ("y", "sample_weight"):
            arguments[name] = as_array(arguments[name])
        validation_data = arguments["validation_data"]
        if isinstance(validation_data, tuple | list):
            x, *rest = validation_data
            arguments["validation_data"] = (taken.as_inputs(x), *map(as_array, rest))
        taken.check(arguments["x"], "x")

    # -------------------------------------------------------------------------- embedding

    def embed(self, images: Any, batch_size: int | None = None) -> np.ndarray:
        """Embed images, nothing masked: for search, kNN and clustering.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255, or a dataset of image batches or
                (images, labels) batches.
            batch_size: images at a time, for arrays; 32 if None.

        Returns:
            float32 array (N, D), the mean of the backbone's features over positions.
        """
        return np.asarray(self.embedder.embed(self._checked(images), batch_size))

    def embed_blocks(self, images: Any, batch_size: int | None = None) -> list[np.ndarray]:
        """Embed images by every block's output.

        Args:
            images: as for `embed`.
            batch_size: as for `embed`.

        Returns:
            A float32 array (N, D) for each block, first to last.

        Raises:
            NotImplementedError: for a backbone that does not consist of blocks.
        """
        return self.embedder.embed_blocks(self._checked(images), batch_size)

    def embed_labeled(
        self, data: Any, all_blocks: bool = False
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Embed images and read their labels in one pass, so that they belong together.

        Args:
            data: (images, labels) arrays, or a `tf.data.Dataset`, a `keras.utils.PyDataset` or a
                torch DataLoader of such batches, which may be in another order at every iteration.
            all_blocks: whether to embed by every block's output; else by the features.

        Returns:
            A float32 array (N, D) for each block, or one, and the labels (N,).

        Raises:
            ValueError: for data without labels.
            NotImplementedError: for blocks of a backbone that does not consist of blocks.
        """
        if isinstance(data, tuple | list):
            return self._embedded(data[0], all_blocks), np.asarray(data[1])
        if hasattr(data, "element_spec"):
            return self.embedder.embed_labeled(data, all_blocks)
        batches = data
        if isinstance(data, keras.utils.PyDataset):
            batches = (data[index] for index in range(len(data)))
        parts = [(self._embedded(np.asarray(x), all_blocks), np.asarray(y)) for x, y in batches]
        embedded = [np.concatenate(each) for each in zip(*(e for e, _ in parts), strict=True)]
        return embedded, np.concatenate([labels for _, labels in parts])

    def _embedded(self, images: Any, all_blocks: bool) -> list[np.ndarray]:
        return self.embed_blocks(images) if all_blocks else [self.embed(images)]

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predict as `keras.Model.predict` does, also of a list of images or of texts."""
        with until_it_ends(kwargs.get("steps")):
            return super().predict(self._checked(x), *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, also lists of images, or texts, and labels."""
        with until_it_ends(kwargs.get("steps")):
            return super().evaluate(self._checked(x), as_array(y), *args, **kwargs)

    def _checked(self, data: Any) -> Any:
        """Return inputs as they are computed with, if they are such."""
        data = self.inputs_taken.as_inputs(data)
        self.inputs_taken.check_origin(data, self.inputs_taken.name)
        self.inputs_taken.check(data, self.inputs_taken.name)
        return data

    # ----------------------------------------------------------------------------- saving

    def get_config(self) -> Config:
        """Return the constructor's arguments, and which layers do not learn."""
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **self.inputs_taken.config,
            "frozen_parts": frozen_parts(self),
        }

    @classmethod
    def from_preset(cls, name: str | os.PathLike[str]) -> Self:
        """Read a model that `save`, `save_to_preset` or `push_to_hub` wrote.

        Args:
            name: a ".keras" file, a directory, or "hf://owner/name" on the Hugging Face hub.

        Raises:
            FileNotFoundError: if there is nothing of that name.
            ValueError: for a file that is damaged, or holds a model of another class.
            OSError: for a hub that cannot be reached.
        """
        from keras_simmim import pretrained

        return pretrained.load(os.fspath(name), kind=cls)

    def save_to_preset(self, directory: str | os.PathLike[str]) -> None:
        """Write architecture, compilation and weights to a directory that `from_preset` reads.

        Raises:
            ValueError: for a directory that holds anything but such a preset.
        """
        from keras_simmim import pretrained

        pretrained.save(self, directory)

    def push_to_hub(
        self,
        name: str,
        run: str | os.PathLike[str] | None = None,
        card: Mapping[str, Any] | None = None,
        private: bool = False,
    ) -> str:
        """Upload the model to the Hugging Face hub, with a model card.

        `from_preset("hf://owner/name")` reads it back. The card says what the model is, its
        recipe, and the code that loads it. Needs `pip install "keras-simmim[hub]"` and a token,
        by `hf auth login` or in HF_TOKEN.

        Args:
            name: "owner/name"; the repository is made if there is none, else written over.
            run: folder of the run that made the model: its settings, results and versions go into
                the card, but for values that hold paths.
            card: more to say there, by title; say at least "data" and "license".
            private: whether a new repository is seen by its owner alone.

        Returns:
            The address of its page.

        Raises:
            ValueError: for a name of another form, or a damaged folder of a run.
            FileNotFoundError: for a run that is not there.
            ImportError: where huggingface_hub is not installed.
            PermissionError: where there is no token.
            ConnectionError: where the hub does not take the model.
        """
        from keras_simmim import pretrained

        return pretrained.push(self, name, run, card, private)

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """Make a model of this configuration, with new weights."""

        def made(value: Any) -> Any:
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        arguments = dict(config)
        for name, value in config.items():
            if isinstance(value, dict):
                arguments[name] = made(value)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                arguments[name] = [made(part) for part in value]
        # Files of earlier versions do not have it.
        frozen = arguments.pop("frozen_parts", None)
        model = cls(**arguments)
        if frozen is not None:
            freeze_parts(model, frozen)
        return model
