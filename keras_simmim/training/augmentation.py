"""Augmentation of a batch in fine-tuning: colors, RandAugment, erasing, mixup and CutMix."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.layers.hashing import hash_words
from keras_simmim.training.color_jitter import jitter_colors

# RandAugment's magnitudes are counted in tenths.
_MAGNITUDES = 10


@keras.saving.register_keras_serializable("keras_simmim")
class Augmentation(keras.layers.Layer):
    """Change images and mix them with others of the batch, and their labels alike.

    Done are, in this order: color jitter, RandAugment, erasing, and then mixup or CutMix, one of
    them for each batch; nothing is done unless asked for. All draws are functions of (seed, step).
    Those of the color jitter are the same on every backend; the others are made by Keras' layers,
    whose draws differ between backends. Several devices or processes that share a batch do with it
    what one does, but for RandAugment's equalization, which is that of all pixels that a device
    has. Keras' RandAugment computes all its eleven operations, twice, and keeps two, the same for
    the whole batch: it can cost more than a small network.

    Args:
        rand_augment: magnitude of RandAugment's operations, 0–10; 0 for none. Each operation draws
            its own for every image, uniformly from 0 to this one. For images of one or three
            channels.
        erasing: probability that a rectangle of an image is replaced by noise.
        mixup: both parameters of the beta distribution of mixup's shares; 0 for none.
        cutmix: the same for CutMix, at most 1.
        cutmix_share: share of the batches that have CutMix, where mixup and CutMix are both
            wanted; counts for nothing where only one is.
        seed: 0 ≤ seed < 2³¹.
        color_jitter: largest distance from 1 of the factors of brightness, contrast and
            saturation, 0–1; 0 for none. For images of one or three channels. See `jitter_colors`.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range.

    Source: Cubuk et al., "RandAugment", 2020; Zhong et al., "Random erasing data augmentation",
    AAAI 2020; Zhang et al., "mixup", ICLR 2018; Yun et al., "CutMix", ICCV 2019.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_simmim.training import Augmentation

    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype="uint8")
    targets = ops.one_hot([0, 1, 2, 0, 1, 2, 0, 1], 3)
    layer = Augmentation(mixup=0.8, cutmix=1.0, color_jitter=0.4)
    mixed, soft = layer(images, targets, step=5)
    soft.shape   # (8, 3)
    ```
    """

    def __init__(
        self,
        rand_augment: float = 0.0,
        erasing: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        cutmix_share: float = 0.5,
        seed: int = 0,
        color_jitter: float = 0.0,
        **kwargs: Any,
    ) -> None:
        # Pixels of 0–255 stay float32 under any precision policy.
        super().__init__(**{"dtype": "float32", **kwargs})
        for name, value, most in (
            ("rand_augment", rand_augment, _MAGNITUDES),
            ("erasing", erasing, 1),
            ("mixup", mixup, float("inf")),
            ("cutmix", cutmix, 1),
            ("cutmix_share", cutmix_share, 1),
            ("color_jitter", color_jitter, 1),
        ):
            if not 0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most}, got {value!r}.")
        if not isinstance(seed, int) or not 0 <= seed < 1 << 31:
            raise ValueError(f"seed must be an integer with 0 <= seed < 2**31, got {seed!r}.")
        self.rand_augment = float(rand_augment)
        self.erasing = float(erasing)
        self.mixup = float(mixup)
        self.cutmix = float(cutmix)
        self.cutmix_share = float(cutmix_share)
        self.seed = seed
        self.color_jitter = float(color_jitter)
        layers = keras.layers
        options: Any = {"seed": seed, "dtype": "float32", "data_format": "channels_last"}
        self.augmenter: Any = None
        self.eraser: Any = None
        self.mixer: Any = None
        self.cutter: Any = None
        if rand_augment:
            factor = rand_augment / _MAGNITUDES
            self.augmenter = layers.RandAugment(factor=factor, **options)
        if erasing:
            self.eraser = layers.RandomErasing((erasing, erasing), **options)
        if mixup:
            self.mixer = layers.MixUp(alpha=self.mixup, **options)
        if cutmix:
            self.cutter = layers.CutMix((cutmix, cutmix), **options)
        self.built = True

    def call(self, images: Tensor, targets: Tensor, step: Tensor | int) -> tuple[Tensor, Tensor]:
        """Augment a batch of images and mix its targets.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
            targets: float32 (B, K), one row of class weights for each image.
            step: int32 scalar that everything is drawn from, with the seed.

        Returns:
            float32 images of 0–255 and targets, shaped as they came.

        Raises:
            ValueError: for another number of channels than 1 and 3, with `color_jitter` or
                `rand_augment`.
        """
        self._seed_layers(step)
        images = ops.cast(images, "float32")
        if self.color_jitter:
            images = jitter_colors(images, self.color_jitter, self.seed, step)
        if self.augmenter is not None:
            images = self._rand_augment(images)
        if self.eraser is not None:
            images = self._erase(images)
        mixers = [layer for layer in (self.mixer, self.cutter) if layer is not None]
        if not mixers:
            return images, targets
        # Images are mixed with any of the whole batch, on whichever replica they are.
        whole = {
            "images": devices.all_examples(images),
            "labels": devices.all_examples(targets),
        }
        mixed = [layer(whole, training=True) for layer in mixers]
        chosen = mixed[-1]
        if len(mixed) == 2:
            word = ops.bitwise_and(hash_words([self.seed, step, len(mixed)]), 2**24 - 1)
            cuts = ops.cast(word, "float32") * 2.0**-24 < self.cutmix_share
            chosen = {name: ops.where(cuts, mixed[1][name], mixed[0][name]) for name in chosen}
        own = devices.own_examples([chosen["images"], chosen["labels"]], ops.shape(images)[0])
        return own[0], own[1]

    def _erase(self, images: Tensor) -> Tensor:
        """Apply Keras' RandomErasing.

        Args:
            images: float32 (B, H, W, C), 0–255.

        Returns:
            The same shape, 0–255.
        """
        drawn = self.eraser.get_random_transformation(_whole_batch(images), training=True)
        drawn = _own_draws({"erasing": drawn}, ops.shape(images)[0])["erasing"]
        return self.eraser.transform_images(images, drawn, training=True)

    def _rand_augment(self, images: Tensor) -> Tensor:
        """Apply Keras' RandAugment, to gray images as to color images that happen to be gray.

        Args:
            images: float32 (B, H, W, C), 0–255.

        Returns:
            The same shape, 0–255.

        Raises:
            ValueError: for another number of channels than 1 and 3.
        """
        channels = images.shape[-1]
        if channels not in (1, 3):
            raise ValueError(f"rand_augment needs images of 1 or 3 channels, got {channels}.")
        images = ops.repeat(images, 3 // channels, axis=-1)
        drawn = self.augmenter.get_random_transformation(_whole_batch(images), training=True)
        # Which operations are done is drawn for the whole batch, how far they go for each image.
        drawn["transforms"] = _own_draws(drawn["transforms"], ops.shape(images)[0])
        augmented = self.augmenter.transform_images(images, drawn, training=True)
        # Some of Keras' operations leave the range on some backends.
        return ops.clip(augmented, 0.0, 255.0)[..., :channels]

    def _seed_layers(self, step: Tensor | int) -> None:
        """Set the generators of Keras' layers to states that only (seed, step) decides.

        Args:
            step: int32 scalar.
        """
        layers = (self.augmenter, self.eraser, self.mixer, self.cutter)
        for index, layer in enumerate(layers, 3):
            if layer is not None:
                word = ops.right_shift(hash_words([self.seed, step, index]), 1)
                word = ops.bitwise_and(word, 2**30 - 1)
                state = layer.generator.state
                state.assign(ops.cast(ops.stack([word, ops.zeros_like(word)]), state.dtype))

    def compute_output_shape(self, images: Any, targets: Any, **_: Any) -> tuple[Any, Any]:
        """Return the shapes of the images and of the targets, which stay as they are."""
        return images, targets

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "rand_augment": self.rand_augment,
            "erasing": self.erasing,
            "mixup": self.mixup,
            "cutmix": self.cutmix,
            "cutmix_share": self.cutmix_share,
            "seed": self.seed,
            "color_jitter": self.color_jitter,
        }


def _whole_batch(images: Tensor) -> Tensor:
    """Stand for the images of all replicas where only their shape counts.

    Args:
        images: (B, H, W, C), those of this replica.

    Returns:
        Zeros, float32 (B of all replicas, H, W, C).
    """
    numbers = devices.all_examples(ops.arange(ops.shape(images)[0]))
    return ops.broadcast_to(ops.zeros(()), (ops.shape(numbers)[0], *images.shape[1:]))


def _own_draws(drawn: dict[str, Any], count: Tensor | int) -> dict[str, Any]:
    """Take what Keras' layers drew for this replica's images, of what they drew for all.

    Args:
        drawn: for each layer None, or tensors with a row for each image of all replicas beside
            other values, by their names. RandAugment numbers its operations in this order.
        count: number of this replica's images.

    Returns:
        The same, with the rows of this replica's images alone.
    """
    rows = {
        (layer, name): value
        for layer, values in drawn.items()
        for name, value in (values or {}).items()
        if ops.is_tensor(value) and len(value.shape) > 0
    }
    own = devices.own_examples(list(rows.values()), count)
    for (layer, name), value in zip(rows, own, strict=True):
        drawn[layer][name] = value
    return drawn
