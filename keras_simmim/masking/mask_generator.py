"""The contract of every mask generator, and what all of them share."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.types import Config, Shape, Tensor


class MaskGenerator(keras.layers.Layer):
    """Hides blocks of a feature map or of an image, differently at every step: the stage G.

    Called on a tensor and a step, a generator gives `views` masked copies of the tensor and says
    what each copy hid. The same object later measures how well the hidden part was predicted.

    Subclasses set `names` (one per modality, M in all) and `views` (V), and implement
    `draw`, `fill` and `hidden_loss`.

    Args:
        block_size: side of a block in positions of the tensor to mask, one number or
            (height, width). It must divide the tensor's height and width.
        seed: 0 ≤ seed < 2³¹. Masks are a function of (seed, step, image, block), the same
            on every backend.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a block size or a seed out of range, or, when built, for a tensor
            that the block does not divide.
    """

    names: tuple[str, ...]
    views: int = 1
    # Whether a hidden position loses all of itself, so that a mask token can stand in its place.
    hides_positions: bool = True

    def __init__(self, block_size: int | tuple[int, int], seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair: Any = block_size if isinstance(block_size, tuple | list) else (block_size,) * 2
        sizes = tuple(pair)
        if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(
                f"block_size must be a positive integer or two of them, got {block_size!r}."
            )
        if not isinstance(seed, int) or not 0 <= seed < 1 << 31:
            raise ValueError(f"seed must be an integer with 0 <= seed < 2**31, got {seed!r}.")
        self.block_size: tuple[int, int] = sizes
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        """Fix the grid of blocks for tensors of this shape, (B, H, W, C) or (B, L, C)."""
        if len(input_shape) not in (3, 4) or None in input_shape[1:]:
            raise ValueError(
                f"{type(self).__name__} masks tensors (B, H, W, C) or (B, L, C) with known "
                f"sizes, got input_shape={tuple(input_shape)}."
            )
        sizes = input_shape[1:-1] if len(input_shape) == 4 else (input_shape[1], 1)
        block = self.block_size if len(input_shape) == 4 else (self.block_size[0], 1)
        if sizes[0] % block[0] or sizes[1] % block[1]:
            raise ValueError(
                f"block_size={self.block_size} does not divide the {sizes[0]} by {sizes[1]} map "
                f"that {type(self).__name__} masks; accepted are divisors of both sides."
            )
        self.grid = (sizes[0] // block[0], sizes[1] // block[1])

    def call(
        self, tensor: Tensor, step: Tensor | int = 0, token: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mask a tensor.

        Args:
            tensor: (B, H, W, C) features or normalised pixels, or a sequence (B, L, C).
            step: int32 scalar that the masks are drawn from, with the seed.
            token: (C,) vector that stands where a position is hidden entirely; zero if None.

        Returns:
            The views, (B, V, H, W, C) or (B, V, L, C), and what they hid, (B, V, h, w, M) with
            1 for a block from which modality m was hidden, h×w the grid of blocks.
        """
        hidden = self.draw(ops.shape(tensor)[0], step)
        if len(tensor.shape) == 4:
            return self.fill(tensor, hidden, token), hidden
        views = self.fill(ops.expand_dims(tensor, 2), hidden, token)
        return ops.squeeze(views, 3), hidden

    def draw(self, batch_size: Tensor | int, step: Tensor | int) -> Tensor:
        """Draw what to hide: float32 (B, V, h, w, M), 1 where modality m hides a block."""
        raise NotImplementedError

    def fill(self, tensor: Tensor, hidden: Tensor, filling: Tensor | None = None) -> Tensor:
        """Replace what is hidden by the same part of `filling`: T⁻¹((1−m)⊙T(x) + m⊙T(filling)).

        Args:
            tensor: (B, H, W, C) or, already in views, (B, V, H, W, C); any size that the grid of
                `hidden` divides, so that masks of features can be applied to their pixels.
            hidden: (B, V, h, w, M), from `draw`.
            filling: broadcastable to the views (B, V, H, W, C); zero if None.

        Returns:
            The filled views, (B, V, H, W, C).
        """
        raise NotImplementedError

    def hidden_loss(self, target: Tensor, prediction: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Measure the prediction on what was hidden: Σ|m⊙T(x̂−x)| / (Σm + ε).

        Args:
            target: (B, H, W, C) normalised pixels.
            prediction: (B, V, H, W, C) normalised pixels.
            hidden: (B, V, h, w, M), from `draw`.

        Returns:
            For each modality's name the mean absolute error per hidden number, (B,).
        """
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape, **_: Any) -> tuple[Shape, Shape]:
        """The shapes of the views and of what they hid."""
        batch = input_shape[0]
        views = (batch, self.views, *input_shape[1:])
        return views, (batch, self.views, *self.grid, len(self.names))

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "block_size": self.block_size, "seed": self.seed}


def hidden_count(ratio: float, blocks: int) -> int:
    """Number of blocks to hide, ⌈ratio·N⌉, without rounding errors such as ⌈0.7·10⌉ = 8."""
    return math.ceil(round(ratio * blocks, 9))


def check_ratio(ratio: float) -> float:
    """Return the ratio, or raise ValueError unless 0 < ratio < 1."""
    if not isinstance(ratio, int | float) or not 0 < ratio < 1:
        raise ValueError(f"ratio must be a number with 0 < ratio < 1, got {ratio!r}.")
    return float(ratio)
