"""Any functional Keras model as a backbone, cut in two at one of its layers."""

import copy
from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backbones.backbone import Backbone
from keras_simmim.backbones.levels import Levels
from keras_simmim.backbones.masked_call import gives_maps, masked_call
from keras_simmim.backbones.tokens_to_map import TokensToMap
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.fitting_images import fitting_images


@keras.saving.register_keras_serializable("keras_simmim")
class KerasBackbone(Backbone):
    """Cut a functional Keras model into a stem and an encoder, which share its weights.

    A convolutional model can be kept from seeing what is hidden, by `visible`: see `Backbone` and
    `masked_call`. It then runs with the same weights, and batch norms take the statistics of
    visible positions alone; global means, such as those of squeeze-and-excitation, still divide
    by the number of all positions, of which hidden ones are zero.

    Args:
        model: a functional model with a fixed input shape (H, W, C), which gives a map
            (B, h, w, c), or tokens (B, k + h·w, c) of which the k first are left out. It must not
            normalize, since `SimMIM` does.
        mask_at: name of the layer after which features are masked, whose output is a map. If
            None, the stem does nothing, and masks fall on the pixels.
        levels: names of the layers whose maps are the `pyramid`; None: the last map at each
            scale, by powers of two.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for a model of another kind, one that normalizes, or a layer after which the
            model cannot be cut.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    images = keras.Input((32, 48, 3))
    patches = keras.layers.Conv2D(8, 4, 4, name="patches")(images)
    network = keras.Model(images, keras.layers.Conv2D(6, 3, 2, padding="same")(patches))
    ks.backbones.KerasBackbone(network, mask_at="patches").stem_shape   # (8, 12, 8)
    ```
    """

    def __init__(
        self,
        model: keras.Model,
        mask_at: str | None = None,
        levels: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        image_shape = _check_model(model)
        stem: keras.layers.Layer = keras.layers.Identity(name="stem")
        encoder: keras.layers.Layer = model
        if mask_at is not None:
            stem, encoder = _cut(model, mask_at)
        if len(model.outputs[0].shape) == 3:
            encoder = keras.Sequential(
                [encoder, TokensToMap(image_shape[:2], name="tokens_to_map")], name="encoder"
            )
        super().__init__(image_shape, stem, encoder, **kwargs)
        self.model_config = keras.saving.serialize_keras_object(model)
        self.mask_at = mask_at
        self.levels = Levels(model, levels)
        self.given_levels = None if levels is None else list(levels)

    @property
    def stages(self) -> list[tuple[int, int]]:
        """List (stride in pixels, channels) of the maps of `pyramid`, finest first."""
        return self.levels.stages or super().stages

    def pyramid(self, images: Tensor, training: bool | None = None) -> list[Tensor]:
        """Return the feature maps at each scale, finest first: see `Backbone.pyramid`."""
        if not self.levels.stages:
            return super().pyramid(images, training)
        return self.levels(fitting_images(images, self.image_shape), training)

    @property
    def masks_inside(self) -> bool:
        """Tell whether the model consists of maps up to its output, and not of tokens."""
        return gives_maps(self.stem) and gives_maps(self.encoder)

    def run_stem(
        self, images: Tensor, training: bool | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Return local features (B, h, w, c) of images, zero where hidden."""
        if visible is None or not self.masks_inside:
            return super().run_stem(images, training, visible)
        return masked_call(self.stem, images, visible, training)

    def run_encoder(
        self, features: Tensor, training: bool | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Return the features (B, h', w', c') of local ones, zero where hidden."""
        if visible is None:
            return super().run_encoder(features, training)
        return masked_call(self.encoder, features, visible, training)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["image_shape"]
        return {
            **config,
            "model": self.model_config,
            "mask_at": self.mask_at,
            "levels": self.given_levels,
        }

    def resize(self, image_shape: tuple[int, int, int], **changes: Any) -> Backbone:
        """Refuse: only who built the model knows how to build it for another size.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"resize(image_shape={image_shape}) cannot rebuild a Keras model: build it for that "
            "size, copy its weights with set_weights, and call from_keras again."
        )

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> "KerasBackbone":
        """Make a backbone of this configuration, with new weights."""
        # Keras takes out of a configuration what it makes a model of.
        model = keras.saving.deserialize_keras_object(
            copy.deepcopy(config["model"]), custom_objects
        )
        return super().from_config({**config, "model": model}, custom_objects)


def from_keras(
    model: keras.Model, mask_at: str | None = None, levels: Sequence[str] | None = None
) -> KerasBackbone:
    """Make a backbone of a functional Keras model: see `KerasBackbone`.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    images = keras.Input((32, 48, 3))
    patches = keras.layers.Conv2D(8, 4, 4, name="patches")(images)
    network = keras.Model(images, keras.layers.Conv2D(6, 3, 2, padding="same")(patches))
    ks.backbones.from_keras(network, mask_at="patches").feature_shape   # (4, 6, 6)
    ```
    """
    return KerasBackbone(model, mask_at, levels)


def _check_model(model: keras.Model) -> tuple[int, int, int]:
    """Return the shape of the model's images, or raise a ValueError that says what does not fit."""
    # Keras does not export the class of functional models; those alone know their inputs.
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ValueError(
            f"model must be a built functional or sequential Keras model, got {model!r}."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"model must have one input and one output, got {len(model.inputs)} and "
            f"{len(model.outputs)}."
        )
    shape = tuple(model.inputs[0].shape[1:])
    if len(shape) != 3 or None in shape:
        raise ValueError(f"model must have a fixed input shape (H, W, C), got {shape}.")
    output = tuple(model.outputs[0].shape)
    if len(output) not in (3, 4) or None in output[1:]:
        raise ValueError(
            f"model must give maps (B, h, w, c) or tokens (B, L, c), got {output}; leave out "
            "its classifier (include_top=False, pooling=None)."
        )
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "data_format", "channels_last") == "channels_first":
            raise ValueError(
                f"model must take channels last, (H, W, C), but its layer {layer.name!r} has "
                "data_format='channels_first': build it after "
                "keras.config.set_image_data_format('channels_last')."
            )
        if isinstance(layer, keras.layers.Normalization | keras.layers.Rescaling):
            raise ValueError(
                f"model normalizes its images in the layer {layer.name!r}, which SimMIM does "
                "already; build it without (include_preprocessing=False, "
                "include_rescaling=False)."
            )
    return shape


def _cut(model: keras.Model, mask_at: str) -> tuple[keras.Model, keras.Model]:
    """Split the model behind a layer: the part up to it, and the rest."""
    maps = [
        layer.name
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer) and len(_shape(layer)) == 4
    ]
    names = [layer.name for layer in model.layers]
    if mask_at not in names:
        raise ValueError(f"mask_at must be one of {maps}, got {mask_at!r}.")
    layer = model.get_layer(mask_at)
    if mask_at not in maps:
        raise ValueError(
            f"mask_at={mask_at!r} gives {_shape(layer)}, not a map (B, h, w, c). Tokens carry "
            "their positions already, which a mask would hide; mask the pixels instead: "
            "mask_at=None and SimMIM(mask_on='pixels')."
        )
    stem = keras.Model(model.inputs[0], layer.output, name="stem")
    try:
        encoder = keras.Model(layer.output, model.outputs[0], name="encoder")
    except ValueError as error:
        raise ValueError(
            f"mask_at={mask_at!r} does not cut the model in two: something leads around it. Take "
            f"the last layer of a block, one of {maps}."
        ) from error
    return stem, encoder


def _shape(layer: keras.layers.Layer) -> Shape:
    """Return the shape of a layer's only output, or () where it has none or several."""
    output: Any = getattr(layer, "output", None)
    return tuple(output.shape) if hasattr(output, "shape") else ()
