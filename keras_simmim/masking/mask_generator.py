"""The contract of every mask generator, and what all of them share."""

import itertools
import math
from typing import Any, TypeAlias

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.hashing import random_ranks

# Sizes of S groups of ranks, and what each loses: (S + 1, V, M), 1 for lost.
Plan: TypeAlias = tuple[tuple[int, ...], tuple[tuple[tuple[float, ...], ...], ...]]


class MaskGenerator(keras.layers.Layer):
    """Hides parts of blocks of a feature map or an image, differently at every step: the stage G.

    Called on a tensor and a step, a generator gives `views` masked copies of the tensor and says
    what each copy hid. The same object later measures how well the hidden part was predicted.

    A modality is an orthonormal basis T of a block, and hiding replaces coefficients in it:
    view = T⁻¹((1−m)⊙T(x) + m⊙T(filling)). Subclasses have `modalities`, the M bases in use, and
    `views`, the number V of copies; `plan` says how many blocks lose what.

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

    views: int = 1
    # Whether only labels may teach the network behind these masks.
    needs_labels: bool = False
    # Whether the generator has a loss of its own, that teaches it what to hide.
    has_ranking_loss: bool = False

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

    def modalities(self) -> tuple[Any, ...]:
        """The M `BlockMasking`s whose bases this generator hides in."""
        raise NotImplementedError

    @property
    def names(self) -> tuple[str, ...]:
        """The modalities' names, as losses are logged by them."""
        return tuple(modality.modality for modality in self.modalities())

    @property
    def hides_positions(self) -> bool:
        """Whether some hidden position loses all of itself, so that a token can replace it."""
        return any(modality.hides_all for modality in self.modalities())

    @property
    def hides_whole_positions(self) -> bool:
        """Tell whether each hidden block loses all of itself, in one view, by a hard choice."""
        whole = all(modality.hides_all for modality in self.modalities())
        soft = self.needs_labels or getattr(self, "adversarial", False)
        return self.views == 1 and whole and not soft

    def build(self, input_shape: Shape) -> None:
        """Fix the grid of blocks for tensors of this shape, (B, H, W, C) or (B, L, C)."""
        if len(input_shape) not in (3, 4) or None in input_shape[1:]:
            raise ValueError(
                f"{type(self).__name__} masks tensors (B, H, W, C) or (B, L, C) with known "
                f"sizes, got input_shape={tuple(input_shape)}."
            )
        self.on_sequences = len(input_shape) == 3
        sizes = (input_shape[1], 1) if self.on_sequences else input_shape[1:-1]
        block = (self.block_size[0], 1) if self.on_sequences else self.block_size
        if sizes[0] % block[0] or sizes[1] % block[1]:
            raise ValueError(
                f"block_size={self.block_size} does not divide the {sizes[0]} by {sizes[1]} map "
                f"that {type(self).__name__} masks; accepted are divisors of both sides."
            )
        self.check_block((*block, input_shape[-1]))
        self.grid: tuple[int, int] = (sizes[0] // block[0], sizes[1] // block[1])
        counts, self.table = self.plan(self.grid[0] * self.grid[1])
        self.boundaries = tuple(itertools.accumulate(counts))

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for a block (p, q, C) in which some modality has nothing to hide."""
        for modality in self.modalities():
            modality.check_block(block_shape)

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
        hidden = self.draw(tensor, step)
        fillings = [token if modality.hides_all else None for modality in self.modalities()]
        return self._replace(tensor, hidden, fillings), hidden

    # ------------------------------------------------------------------ what to hide

    def draw(self, tensor: Tensor, step: Tensor | int) -> Tensor:
        """Draw what to hide of a batch: float32 (B, V, h, w, M), 1 where m hides a block."""
        ranks = ops.expand_dims(self.rank_blocks(tensor, step), -1)
        beyond = ops.cast(ranks >= ops.convert_to_tensor(self.boundaries, dtype="int32"), "int32")
        table = ops.convert_to_tensor(self.table, dtype="float32")
        hidden = ops.take(table, ops.sum(beyond, axis=-1), axis=0)
        hidden = ops.reshape(hidden, (-1, *self.grid, self.views, len(self.modalities())))
        return ops.transpose(hidden, (0, 3, 1, 2, 4))

    def rank_blocks(self, tensor: Tensor, step: Tensor | int) -> Tensor:
        """Put the blocks of each image in an order: int32 (B, N), a permutation of 0 … N−1."""
        return random_ranks(self.seed, step, ops.shape(tensor)[0], self.grid[0] * self.grid[1])

    def plan(self, blocks: int) -> Plan:
        """Divide the ranks 0 … N−1 into groups, lowest first, and say what each group loses.

        Returns:
            The sizes of S groups, and a table (S + 1, V, M) with 1 where blocks of a group lose
            modality m in a view; its last row is for the ranks beyond all groups.
        """
        raise NotImplementedError

    def visible_count(self, positions: int) -> int:
        """Of so many positions, how many lose nothing in the last view."""
        blocks = self.grid[0] * self.grid[1]
        return (blocks - self.boundaries[-1]) * (positions // blocks)

    # ----------------------------------------------------------- hiding and measuring

    def fill(self, tensor: Tensor, hidden: Tensor, filling: Tensor | None = None) -> Tensor:
        """Replace what is hidden by the same part of `filling`: T⁻¹((1−m)⊙T(x) + m⊙T(filling)).

        Args:
            tensor: (B, H, W, C) or, already in views, (B, V, H, W, C); any size that the grid of
                `hidden` divides, so that masks of features can be applied to their pixels.
                Sequences have one L in place of H and W.
            hidden: (B, V, h, w, M), from `draw`.
            filling: shaped as the views (B, V, H, W, C); zero if None.

        Returns:
            The filled views, (B, V, H, W, C).
        """
        if filling is not None:
            filling = self._split(filling)
        return self._replace(tensor, hidden, [filling] * len(self.modalities()))

    def hidden_loss(self, target: Tensor, prediction: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Measure the prediction on what was hidden: Σ|m⊙T(x̂−x)| / (Σm + ε).

        Every hidden coefficient of every view counts alike.

        Args:
            target: (B, H, W, C) normalised pixels.
            prediction: (B, V, H, W, C) normalised pixels.
            hidden: (B, V, h, w, M), from `draw`.

        Returns:
            For each modality's name the mean absolute error per hidden coefficient, (B,).
        """
        error = self._split(prediction) - self._split(target)
        losses = {}
        for index, modality in enumerate(self.modalities()):
            _, _, _, height, _, width, channels = error.shape
            lost = ops.sum(modality.selection((height, width, channels)))
            mask = hidden[..., index : index + 1]
            total = ops.sum(modality.block_errors(error) * mask[..., 0], axis=(1, 2, 3))
            count = ops.sum(mask, axis=(1, 2, 3, 4)) * lost
            losses[modality.modality] = total / (count + 1e-5)
        return losses

    def ranking_loss(
        self, tensor: Tensor, target: Tensor, prediction: Tensor, hidden: Tensor
    ) -> Tensor:
        """The generator's own loss, a scalar, where `has_ranking_loss`.

        Args:
            tensor: what was masked.
            target: (B, H, W, C) normalised pixels.
            prediction: (B, V, H, W, C) normalised pixels.
            hidden: (B, V, h, w, M), from `draw`.
        """
        raise NotImplementedError

    def _replace(self, tensor: Tensor, hidden: Tensor, fillings: list[Tensor | None]) -> Tensor:
        """Hide, with a filling for each modality: a (C,) vector or split into blocks."""
        blocks = self._split(tensor)
        _, _, _, height, _, width, _ = blocks.shape
        filled = self._join(blocks)
        whole = filled
        for index, (modality, filling) in enumerate(zip(self.modalities(), fillings, strict=True)):
            mask = ops.cast(hidden[..., index : index + 1], tensor.dtype)
            mask = spread(mask, height, width)
            replaced = whole - self._join(modality.project(blocks))
            if filling is not None:
                filling = modality.project(ops.cast(filling, tensor.dtype))
                replaced = replaced + (self._join(filling) if len(filling.shape) > 1 else filling)
            # A product, not a choice, so that a straight-through mask passes its gradient.
            filled = filled * (1 - mask) + replaced * mask
        return ops.squeeze(filled, 3) if self.on_sequences else filled

    def _split(self, tensor: Tensor) -> Tensor:
        """(B, [V,] H, W, C) or (B, [V,] L, C) → blocks (B, V, h, p, w, q, C)."""
        if self.on_sequences:
            tensor = ops.expand_dims(tensor, -2)
        if len(tensor.shape) == 4:
            tensor = ops.expand_dims(tensor, 1)
        _, views, height, width, channels = tensor.shape
        rows, columns = self.grid
        return ops.reshape(
            tensor, (-1, views, rows, height // rows, columns, width // columns, channels)
        )

    def _join(self, blocks: Tensor) -> Tensor:
        """Blocks (B, V, h, p, w, q, C) → (B, V, H, W, C)."""
        _, views, rows, height, columns, width, channels = blocks.shape
        return ops.reshape(blocks, (-1, views, rows * height, columns * width, channels))

    def compute_output_shape(self, input_shape: Shape, **_: Any) -> tuple[Shape, Shape]:
        """The shapes of the views and of what they hid."""
        batch = input_shape[0]
        views = (batch, self.views, *input_shape[1:])
        return views, (batch, self.views, *self.grid, len(self.modalities()))

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "block_size": self.block_size, "seed": self.seed}


def spread(values: Tensor, height: int, width: int) -> Tensor:
    """One value a block (B, V, h, w, 1) to one a position (B, V, h·height, w·width, 1)."""
    _, views, rows, columns, _ = values.shape
    blocks = ops.reshape(values, (-1, views, rows, 1, columns, 1))
    shape = (ops.shape(blocks)[0], views, rows, height, columns, width)
    spread = ops.broadcast_to(blocks, shape)
    return ops.reshape(spread, (-1, views, rows * height, columns * width, 1))


def hidden_count(ratio: float, blocks: int) -> int:
    """Number of blocks to hide, ⌈ratio·N⌉, without rounding errors such as ⌈0.7·10⌉ = 8."""
    return math.ceil(round(ratio * blocks, 9))


def check_ratio(ratio: float) -> float:
    """Return the ratio, or raise ValueError unless 0 < ratio < 1."""
    if not isinstance(ratio, int | float) or not 0 < ratio < 1:
        raise ValueError(f"ratio must be a number with 0 < ratio < 1, got {ratio!r}.")
    return float(ratio)
