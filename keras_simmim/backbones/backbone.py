"""The contract of every backbone: a stem, an encoder, and a place between them for the mask."""

from typing import Any, Self

import keras
from keras import ops

from keras_simmim.backbones.copied_network import CopiedNetwork
from keras_simmim.backbones.sizes import check_image_shape
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.fitting_images import fitting_images
from keras_simmim.layers.frozen_parts import freeze_parts, frozen_parts


class Backbone(CopiedNetwork):
    """Extract features in two halves: the stage F.

    `stem` turns images (B, H, W, C) into local features (B, h, w, c); `encoder` turns those into
    features (B, h', w', c') that have looked around. Masks fall between the two, so that nothing
    hidden has leaked into its neighbors before it is hidden. Calling the backbone runs both.
    Backbones take normalized floats and never normalize.

    What other parts of the library want to know of a network, they ask it by the names below;
    subclasses say what differs from the defaults.

    Args:
        image_shape: (H, W, C) of the images, in pixels.
        stem: layer (B, H, W, C) → (B, h, w, c).
        encoder: layer (B, h, w, c) → (B, h', w', c').
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for an image shape that is not three positive integers.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    stem = keras.layers.Conv2D(8, 4, strides=4)
    encoder = keras.layers.Conv2D(16, 3, padding="same")
    backbone = ks.backbones.Backbone((16, 24, 3), stem, encoder)
    backbone.positions, backbone.stages   # (4, 6), [(4, 16)]
    ```
    """

    built: bool
    # The official fine-tuning whose constants suit this network.
    fine_tuning_recipe: str = "simmim_vit_base_800ep_224"

    def __init__(
        self,
        image_shape: tuple[int, ...],
        stem: keras.layers.Layer,
        encoder: keras.layers.Layer,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.example_shape = self.check_shape(image_shape)
        self.stem = stem
        self.encoder = encoder
        self.build((None, *self.example_shape))

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        self.stem.build(input_shape)
        stem_shape = self.stem.compute_output_shape(input_shape)
        self.encoder.build(stem_shape)
        self.stem_shape: Any = tuple(stem_shape[1:])
        self.feature_shape: Any = tuple(self.encoder.compute_output_shape(stem_shape)[1:])
        self._depths = {
            id(weight): depth
            for depth, weights in enumerate(self.weights_by_depth())
            for weight in weights
        }
        self.built = True

    # ------------------------------------------------------------- what the network says of itself

    # Whether it takes tokens, integers (B, L) that stand for words or items, instead of images.
    takes_tokens: bool = False

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Give what a head predicts: the shape of an image, or of tokens how many there are."""
        return self.example_shape

    @property
    def fields(self) -> dict[str, int]:
        """Name the fields of tokens, with how many values each has; none of images."""
        return {}

    @property
    def tables(self) -> list[keras.Variable]:
        """List the tables (size, D) of the fields, which heads may share; none of images."""
        return []

    def check_shape(self, shape: Any) -> Any:
        """Return the shape of one example as a tuple, or raise ValueError for one that is none."""
        return check_image_shape(shape)

    @property
    def image_shape(self) -> Any:
        """Give the shape (H, W, C) of one image: that of an example, which is an image here."""
        return self.example_shape

    @property
    def positions(self) -> tuple[int, ...]:
        """Give the grid of positions behind the stem, (h, w) of images and (l,) of sequences."""
        return self.stem_shape[:-1]

    @property
    def stages(self) -> list[tuple[int, int]]:
        """List (stride in pixels, channels) of the feature map at each scale, finest first."""
        return [(-(-self.image_shape[0] // self.feature_shape[0]), self.feature_shape[-1])]

    @property
    def patch_size(self) -> int:
        """Give the side of a position behind the stem, in pixels."""
        return self.image_shape[0] // self.stem_shape[0]

    @property
    def looks_around(self) -> bool:
        """Tell whether the encoder can fill in a hidden position from the others."""
        return not isinstance(self.encoder, keras.layers.Identity)

    @property
    def encodes_subsets(self) -> bool:
        """Tell whether the encoder can be given some positions alone, by `visible`."""
        return False

    @property
    def masks_inside(self) -> bool:
        """Tell whether stem and encoder can keep what is hidden out of every convolution."""
        return False

    @property
    def masks_stem(self) -> bool:
        """Tell whether the stem looks around, so that masks of its features must act inside it."""
        return False

    @property
    def embeds_positions(self) -> bool:
        """Tell whether a token's position is known from its embedding alone.

        It can then be taken away: the encoder takes `lost` and `stand_in`.
        """
        return False

    @property
    def num_blocks(self) -> int:
        """Count the blocks whose outputs and learning rates can be told apart; 0 for none."""
        return max(len(self.weights_by_depth()) - 1, 0)

    def weights_by_depth(self) -> list[list[keras.Variable]]:
        """List the weights of the stem, with tokens and positions, and then those of each block.

        Weights behind the last block are in no list. An empty list stands for a network without
        blocks.
        """
        return []

    def depth_of(self, variable: keras.Variable) -> int:
        """Return the number of the block that a weight belongs to.

        Args:
            variable: a weight of this backbone, or of a model around it.

        Returns:
            0 for the stem, the number of the block from 1, or `num_blocks + 1` for all that lies
            behind the last one, heads too. 1 for any weight where there are no blocks.

        Source: `get_vit_layer` and `get_swin_layer` of github.com/microsoft/SimMIM, after those
        of Bao et al., "BEiT", ICLR 2022.
        """
        return self._depths.get(id(variable), self.num_blocks + 1)

    def freeze(self, blocks: int | None = None) -> None:
        """Let the stem and the first blocks learn no longer.

        Args:
            blocks: how many, 0 for the stem alone; None freezes the whole network.

        Raises:
            ValueError: for more blocks than there are.
        """
        if blocks is None:
            self.trainable = False
            return
        if not 0 <= blocks <= self.num_blocks:
            raise ValueError(
                f"blocks must be from 0 to {self.num_blocks}, the blocks of {self.name!r}, or "
                f"None for the whole network, got {blocks!r}."
            )
        for weight in self.trainable_variables:
            if self.depth_of(weight) <= blocks:
                weight.trainable = False

    def named_weights(self) -> dict[str, keras.Variable]:
        """Give the trainable weights by their names in this backbone, such as "stem/kernel"."""
        return {weight.path.split("/", 1)[1]: weight for weight in self.trainable_variables}

    # -------------------------------------------------------------------------- what it computes

    def call(
        self, images: Tensor, training: bool | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Return the feature map (B, h', w', c') of normalized images (B, H, W, C).

        Args:
            images: (B, H, W, C).
            training: whether layers behave as in training.
            visible: float (B, m, n, 1), 1 for a visible block of the image and 0 for a hidden
                one, which nothing then sees; all is visible if None. Where `masks_inside`.

        Raises:
            ValueError: for images of another shape than `image_shape`, or `visible` where there
                is no masking inside.
        """
        images = fitting_images(images, self.image_shape)
        return self.run_encoder(self.run_stem(images, training, visible), training, visible)

    def run_stem(
        self, images: Tensor, training: bool | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Return local features (B, h, w, c) of images; the arguments are those of a call."""
        if visible is None:
            return self.stem(images, training=training)
        if not self.masks_inside:
            raise ValueError(
                f"visible was given, but {type(self).__name__} {self.name!r} cannot mask inside "
                "(masks_inside is False); ConvNet, ViT(stem='conv') and convolutional Keras "
                "models can."
            )
        return self.stem(images, training=training, visible=visible)

    def run_encoder(
        self, features: Tensor, training: bool | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Return the features (B, h', w', c') of local ones; convolutions see what is visible."""
        return self.encoder(features, training=training)

    def valid(self, inputs: Tensor) -> Tensor | None:
        """Tell what of an input is no padding: float32 (B, L); None where nothing ever is.

        Args:
            inputs: as for a call.
        """
        return None

    def with_valid(self, features: Tensor, valid: Tensor | None) -> Any:
        """Give features as `pool` takes them, together with what of them is no padding."""
        return features

    def features(self, inputs: Tensor, training: bool | None = None) -> Any:
        """Return the features of inputs as `pool` takes them."""
        return self.with_valid(self(inputs, training=training), self.valid(inputs))

    def pool(self, features: Any) -> Tensor:
        """Average features over their positions: float32 (B, D), the embedding."""
        return ops.mean(ops.cast(features, "float32"), axis=(1, 2))

    def block_outputs(self, images: Tensor, training: bool | None = None) -> list[Tensor]:
        """Return the feature map after every block, the last one normed where the encoder norms.

        Args:
            images: normalized images (B, H, W, C), or `keras.Input(backbone.image_shape)` for a
                functional model of these outputs.
            training: whether layers behave as in training.

        Returns:
            One map for every block, first to last.

        Raises:
            NotImplementedError: for a backbone that does not consist of blocks.
            ValueError: for images of another shape than `image_shape`.

        Example:
        ```python
        import keras
        import keras_simmim as ks

        backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=2, num_heads=2, hidden_dim=8)
        images = keras.Input(backbone.image_shape)
        middle = keras.Model(images, backbone.block_outputs(images)[0])
        middle.output.shape   # (None, 2, 3, 8)
        ```
        """
        if not self.num_blocks:
            raise NotImplementedError(
                f"{type(self).__name__} has no block outputs; ViT and Swin have."
            )
        images = fitting_images(images, self.image_shape)
        return self.encoder(
            self.stem(images, training=training), training=training, all_blocks=True
        )

    def pyramid(self, images: Tensor, training: bool | None = None) -> list[Tensor]:
        """Return the last feature map at each scale, finest first: those of `stages`.

        Args:
            images: as for `block_outputs`.
            training: whether layers behave as in training.

        Example:
        ```python
        import keras
        import keras_simmim as ks

        sizes = {"hidden_dim": 16, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4}
        backbone = ks.backbones.Swin((32, 48, 3), **sizes)
        maps = backbone.pyramid(keras.random.normal((2, 32, 48, 3)))
        [each.shape[1:] for each in maps]   # [(8, 12, 16), (4, 6, 32)]
        ```
        """
        if not self.num_blocks:
            return [self(images, training=training)]
        outputs = self.block_outputs(images, training)
        last = dict(zip(self.encoder.strides, outputs, strict=True))
        return list(last.values())

    def pyramid_outputs(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Return the maps of `pyramid` by level: "P2" steps by 2² pixels, "P3" by 2³.

        Args:
            images: as for `block_outputs`.
            training: whether layers behave as in training.

        Raises:
            NotImplementedError: for a backbone whose steps are no powers of two.
        """
        levels = {}
        for (stride, _), output in zip(self.stages, self.pyramid(images, training), strict=True):
            if stride & (stride - 1):
                raise NotImplementedError(
                    f"pyramid levels are powers of two, got patch_size={self.patch_size}."
                )
            levels[f"P{stride.bit_length() - 1}"] = output
        return levels

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h', w', c')."""
        return (input_shape[0], *self.feature_shape)

    def get_config(self) -> Config:
        """Return the constructor's arguments, and which layers do not learn."""
        return {
            "name": self.name,
            "dtype": self.dtype_policy,
            "image_shape": self.example_shape,
            "frozen_parts": frozen_parts(self),
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """Make a backbone of this configuration, with new weights."""
        config = dict(config)
        frozen = config.pop("frozen_parts", None)
        backbone = super().from_config(config, custom_objects)
        if frozen is not None:
            freeze_parts(backbone, frozen)
        return backbone
