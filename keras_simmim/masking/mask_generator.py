"""The stage G: masked views of a tensor, and what each of them hid."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.masking.arguments import check_block_size, check_modalities, check_rounds
from keras_simmim.masking.blocks import join_blocks, split_blocks, spread
from keras_simmim.masking.draws import Draw
from keras_simmim.masking.independent_views import IndependentViews
from keras_simmim.masking.modalities import Modality
from keras_simmim.masking.plan import Plan, ValidBlocks
from keras_simmim.masking.rounds import Rounds
from keras_simmim.masking.views import join_views
from keras_simmim.masking.visible import Visible


@keras.saving.register_keras_serializable("keras_simmim")
class MaskGenerator(keras.layers.Layer):
    """Hide parts of blocks of a feature map or an image, differently at every step.

    Called on a tensor and a step, a generator gives `views` masked copies of the tensor and says
    what each copy hid. The same object later measures how well the hidden part was predicted.

    A modality is an orthonormal basis T of a block, and hiding replaces coefficients in it:
    view = T⁻¹((1−m)⊙T(x) + m⊙T(filling)). A draw says which blocks these are.

    Args:
        modalities: what hidden blocks lose, one or several of `Spatial`, `Color`, `Texture` or of
            your own `Modality`s, each once.
        draw: which blocks are hidden, a `RandomDraw`, `LearnedDraw`, `SoftDraw` or your own `Draw`.
        ratio: share of the blocks to hide, 0 < ratio < 1, exactly ⌈ratio·N⌉ of N blocks, shared out
            equally among the modalities; or `Rounds` or `IndependentViews`, for several views.
            None for a soft draw, which dims every block.
        block_size: side of a block in positions of the tensor to mask, one number or
            (height, width). It must divide the tensor's height and width.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range, a modality given twice, or, when built, for a
            tensor that the block does not divide, a block with nothing to hide, or so few blocks
            that a round or a modality would hide none.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the stage G.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    modalities = [ks.masking.Color("chroma"), ks.masking.Texture("low")]
    masking = ks.masking.MaskGenerator(
        modalities, ks.masking.LearnedDraw(), ratio=0.5, block_size=2
    )
    views, hidden = masking(keras.random.normal((8, 12, 12, 64)), step=3)
    views.shape, hidden.shape   # (8, 1, 12, 12, 64), (8, 1, 6, 6, 2)
    ```
    """

    def __init__(
        self,
        modalities: Sequence[Modality],
        draw: Draw,
        ratio: float | Rounds | IndependentViews | None = None,
        block_size: int | tuple[int, int] = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.modalities = check_modalities("modalities", modalities)
        # Not `draw`, which is the method.
        self.block_draw = draw
        # Keras saves a layer where its owner has it as an attribute.
        self.scorer = draw.scorer
        self.ratio: Any = ratio
        self.rounds = check_rounds(ratio, draw, len(self.modalities))
        self.views: int = 1 if self.rounds is None else self.rounds.views
        self.draws: int = 1 if self.rounds is None else self.rounds.draws
        self.block_size = check_block_size(block_size)

    # -------------------------------------------------------- what it is, for other rooms

    @property
    def names(self) -> tuple[str, ...]:
        """List the modalities' names, as losses are logged by them."""
        return tuple(modality.name for modality in self.modalities)

    @property
    def hides_positions(self) -> bool:
        """Say whether some hidden position loses all of itself, so that a token can replace it."""
        return any(modality.hides_all for modality in self.modalities)

    @property
    def hides_whole_positions(self) -> bool:
        """Say whether hidden positions can be left out: lost entirely, as many in every view.

        No gradient may flow through what is hidden either: there is nothing left to bear it.
        """
        whole = all(modality.hides_all for modality in self.modalities)
        alike = self.rounds is not None and self.rounds.hides_alike
        return whole and alike and not self.block_draw.passes_gradient

    @property
    def hides_everything(self) -> bool:
        """Say whether some view of a built generator has nothing left of an image."""
        whole = all(modality.hides_all for modality in self.modalities)
        return whole and max(self.plan.hidden_counts) == self.grid[0] * self.grid[1]

    def check_something_is_visible(self) -> None:
        """Raise ValueError for a built generator whose masks leave no position visible."""
        if self.visible_count(self.grid[0] * self.grid[1]) == 0:
            raise ValueError(
                f"encode='visible' needs visible blocks, but ratio={self.ratio} hides all "
                f"{self.grid[0] * self.grid[1]} blocks of block_size={self.block_size}."
            )

    @property
    def scores_features(self) -> bool:
        """Say whether what is hidden depends on the tensor, and not only on the step."""
        return self.block_draw.scorer is not None

    @property
    def needs_labels(self) -> bool:
        """Say whether only labels may teach the network behind these masks."""
        return self.block_draw.needs_labels

    @property
    def has_ranking_loss(self) -> bool:
        """Say whether there is a loss that teaches the generator itself what to hide."""
        return self.block_draw.has_ranking_loss

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for a block (p, q, C) in which some modality has nothing to hide."""
        for modality in self.modalities:
            modality.check_block(block_shape)

    # ------------------------------------------------------------------------- weights

    def build(self, input_shape: Shape) -> None:
        """Fix the grid of blocks for tensors of this shape, (B, H, W, C) or (B, L, C)."""
        if len(input_shape) not in (3, 4) or None in input_shape[1:]:
            raise ValueError(
                f"{type(self).__name__} masks tensors (B, H, W, C) or (B, L, C) with known "
                f"sizes, got input_shape={tuple(input_shape)}."
            )
        self.masked_shape = tuple(input_shape[1:])
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
        blocks = self.grid[0] * self.grid[1]
        if self.rounds is None:
            self.plan = Plan((blocks,), (((1.0,),), ((0.0,),)))
        else:
            self.plan = self.rounds.plan(blocks, len(self.modalities))
        self.block_draw.build(self.grid, input_shape[-1])
        self._losses_of: np.ndarray | None = None

    @property
    def losses_of(self) -> np.ndarray:
        """Say what blocks lose of sequences with n of them: uint8 (N + 1, N, V, M), by rank."""
        if self._losses_of is None:
            blocks, modalities = self.grid[0] * self.grid[1], len(self.modalities)
            losses = np.zeros((blocks + 1, blocks, len(self.plan.table[0]), modalities), "uint8")
            rounds: Any = self.rounds
            for count in range(1, blocks + 1) if rounds is not None else ():
                plan = rounds.plan(count, modalities, few=True)
                losses[count, :count] = plan.losses(count)
            self._losses_of = losses
        return self._losses_of

    # -------------------------------------------------------------------- what to hide

    def call(
        self, tensor: Tensor, step: Tensor | int = 0, token: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mask a tensor.

        Args:
            tensor: (B, H, W, C) features or normalized pixels, or a sequence (B, L, C).
            step: int32 scalar that the masks are drawn from.
            token: (C,) vector that stands where a position is hidden entirely; zero if None.

        Returns:
            The views, (B, V, H, W, C) or (B, V, L, C), and what they hid, (B, V, h, w, M) with
            1 for a block from which modality m was hidden, h×w the grid of blocks.

        Raises:
            ValueError: for a tensor of another size than the generator was built for.
        """
        if tuple(tensor.shape[1:]) != self.masked_shape:
            raise ValueError(
                f"tensor must be (B, {', '.join(map(str, self.masked_shape))}) for this "
                f"{type(self).__name__}, got {tuple(tensor.shape)}."
            )
        hidden = self.draw(tensor, step)
        return self.hide(tensor, hidden, token, step), hidden

    def hide(
        self,
        tensor: Tensor,
        hidden: Tensor,
        token: Tensor | None = None,
        step: Tensor | int = 0,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Hide what was drawn: the views of a call.

        Args:
            tensor: as for a call, or already in views, (B, V, H, W, C).
            hidden: (B, V, h, w, M), from `draw`.
            token: as for a call.
            step: that anything random is drawn from, beside what is hidden.
            valid: as for `draw`.
        """
        fillings = [token if modality.hides_all else None for modality in self.modalities]
        return self._replace(tensor, hidden, fillings)

    def draw(self, tensor: Tensor, step: Tensor | int, valid: Tensor | None = None) -> Tensor:
        """Draw what to hide of a batch: float32 (B, V, h, w, M), 1 where m hides a block.

        Args:
            tensor: what is masked, (B, H, W, C) or (B, L, C).
            step: int32 scalar that the masks are drawn from.
            valid: float (B, L), 1 for positions of a sequence and 0 for its padding, which is
                never drawn nor counted; None for no padding.
        """
        options = {}
        if valid is not None:
            valid = ops.cast(valid, "float32")
            tensor = ops.where(ops.expand_dims(valid, -1) > 0, tensor, ops.zeros_like(tensor))
            blocks = ops.reshape(valid, (-1, self.grid[0], valid.shape[1] // self.grid[0]))
            kept = ops.repeat(ops.max(blocks, axis=-1), self.draws, axis=0)
            options["valid"] = ValidBlocks(kept, self.losses_of)
        tensor = self._as_map(tensor)
        if self.draws == 1:
            return self.block_draw.hidden(tensor, step, self.grid, self.plan, **options)
        # Every view is drawn as that of another image, of which it is one view.
        repeated = ops.repeat(tensor, self.draws, axis=0)
        drawn = self.block_draw.hidden(repeated, step, self.grid, self.plan, **options)
        drawn = ops.reshape(drawn, (-1, self.draws, *drawn.shape[1:]))
        return ops.stack([drawn[:, view, view] for view in range(self.views)], axis=1)

    def visible_count(self, positions: int) -> int:
        """Count how many of so many positions lose nothing in the last view."""
        blocks = self.grid[0] * self.grid[1]
        return (blocks - self.plan.boundaries[-1]) * (positions // blocks)

    def visible(self, hidden: Tensor, rows: int, columns: int) -> Visible:
        """Choose the positions that a mask leaves visible, where `hides_whole_positions`.

        Args:
            hidden: (B, V, h, w, 1), from `draw`.
            rows: number of rows of positions, a multiple of h.
            columns: number of columns of positions, a multiple of w.

        Returns:
            The visible positions of B·V views.
        """
        hidden = ops.expand_dims(join_views(hidden), 1)
        return Visible.of(hidden, rows, columns, self.visible_count(rows * columns))

    # ----------------------------------------------------------- hiding and measuring

    def fill(self, tensor: Tensor, hidden: Tensor, filling: Tensor | None = None) -> Tensor:
        """Replace what is hidden by the same part of `filling`: T⁻¹((1−m)⊙T(x) + m⊙T(filling)).

        Args:
            tensor: (B, H, W, C) or, already in views, (B, V, H, W, C); any size that the grid of
                `hidden` divides, so that masks of features can be applied to their pixels.
                Sequences have one L instead of H and W.
            hidden: (B, V, h, w, M), from `draw`.
            filling: shaped as the views (B, V, H, W, C); zero if None.

        Returns:
            The filled views, (B, V, H, W, C).
        """
        if filling is not None:
            filling = self._split(filling)
        return self._replace(tensor, hidden, [filling] * len(self.modalities))

    def shown(self, hidden: Tensor, rows: int, columns: int) -> Tensor:
        """Tell how much of each position of a map is not hidden entirely.

        Args:
            hidden: (B, V, h, w, M), from `draw`.
            rows: number of rows of positions, a multiple or a divisor of h.
            columns: number of columns of positions, a multiple or a divisor of w.

        Returns:
            float32 (B, V, rows, columns), 1 where nothing is hidden entirely, 0 where all is.
        """
        whole = [float(modality.hides_all) for modality in self.modalities]
        lost = ops.sum(hidden * ops.convert_to_tensor(whole), axis=-1, keepdims=True)
        _, views, height, width, _ = hidden.shape
        if rows > height or columns > width:
            lost = spread(lost, max(rows // height, 1), max(columns // width, 1))
        parts = split_blocks(lost, (rows, columns))
        return 1 - ops.reshape(ops.mean(parts, axis=(3, 5)), (-1, views, rows, columns))

    def hidden_loss(
        self, target: Tensor, prediction: Tensor, hidden: Tensor, squared: bool = False
    ) -> dict[str, Tensor]:
        """Measure the prediction on what was hidden: Σ|m⊙T(x̂−x)| / (Σm + ε).

        Every hidden coefficient of every view counts alike.

        Args:
            target: (B, H, W, C) normalized pixels.
            prediction: (B, V, H, W, C) normalized pixels.
            hidden: (B, V, h, w, M), from `draw`.
            squared: whether squares are averaged instead of absolute values.

        Returns:
            For each modality's name the mean error per hidden coefficient, (B,).
        """
        error = self._split(prediction) - self._split(target)
        losses = {}
        for index, (name, modality) in enumerate(zip(self.names, self.modalities, strict=True)):
            _, _, _, height, _, width, channels = error.shape
            lost = ops.sum(modality.selection((height, width, channels)))
            mask = hidden[..., index : index + 1]
            errors = modality.block_errors(error, squared)
            total = ops.sum(errors * mask[..., 0], axis=(1, 2, 3))
            count = ops.sum(mask, axis=(1, 2, 3, 4)) * lost
            losses[name] = total / (count + 1e-5)
        return losses

    def ranking_loss(
        self, tensor: Tensor, target: Tensor, prediction: Tensor, hidden: Tensor
    ) -> Tensor:
        """Measure how well the draw ranked the blocks, where `has_ranking_loss`: a scalar.

        Args:
            tensor: what was masked.
            target: (B, H, W, C) normalized pixels.
            prediction: (B, V, H, W, C) normalized pixels.
            hidden: (B, V, h, w, M), from `draw`.
        """
        errors = self.block_errors(target, prediction)
        sums, pairs = self.ranking_losses(tensor, errors, hidden)
        return ops.sum(sums) / (ops.sum(pairs) + 1e-5)

    def block_errors(self, target: Tensor, prediction: Tensor) -> Tensor:
        """Measure how wrong the prediction of each block is, by modality: (B, V, h, w, M).

        Args:
            target: (B, H, W, C) normalized pixels.
            prediction: (B, V, H, W, C) normalized pixels.
        """
        error = self._split(prediction) - self._split(target)
        return ops.stack([modality.block_errors(error) for modality in self.modalities], axis=-1)

    def ranking_losses(
        self, tensor: Tensor, errors: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Measure how well the draw ranked blocks whose errors are known.

        Args:
            tensor: what was masked.
            errors: (B, V, h, w, M).
            hidden: (B, V, h, w, M), from `draw`.

        Returns:
            float32 (B,), the sum over the pairs of each image, and (B,), their number.
        """
        return self.block_draw.ranking_losses(self._as_map(tensor), errors, hidden, self.grid)

    def _replace(self, tensor: Tensor, hidden: Tensor, fillings: list[Tensor | None]) -> Tensor:
        """Hide, with a filling for each modality: a (C,) vector or split into blocks."""
        blocks = self._split(tensor)
        _, _, _, height, _, width, _ = blocks.shape
        filled = join_blocks(blocks)
        whole = filled
        for index, (modality, filling) in enumerate(zip(self.modalities, fillings, strict=True)):
            mask = ops.cast(hidden[..., index : index + 1], tensor.dtype)
            mask = spread(mask, height, width)
            replaced = whole - join_blocks(modality.project(blocks))
            if filling is not None:
                filling = modality.project(ops.cast(filling, tensor.dtype))
                replaced = replaced + (join_blocks(filling) if len(filling.shape) > 1 else filling)
            # A product, not a choice, so that a straight-through mask passes its gradient.
            filled = filled * (1 - mask) + replaced * mask
        return ops.squeeze(filled, 3) if self.on_sequences else filled

    def _as_map(self, tensor: Tensor) -> Tensor:
        """Take sequences (…, L, C) for maps of width one, (…, L, 1, C)."""
        return ops.expand_dims(tensor, -2) if self.on_sequences else tensor

    def _split(self, tensor: Tensor) -> Tensor:
        """Cut (B, [V,] H, W, C) or (B, [V,] L, C) into blocks (B, V, h, p, w, q, C)."""
        return split_blocks(self._as_map(tensor), self.grid)

    def compute_output_shape(self, input_shape: Shape, **_: Any) -> tuple[Shape, Shape]:
        """Give the shapes of the views and of what they hid."""
        batch = input_shape[0]
        views = (batch, self.views, *input_shape[1:])
        return views, (batch, self.views, *self.grid, len(self.modalities))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "modalities": [serialize(modality) for modality in self.modalities],
            "draw": serialize(self.block_draw),
            "ratio": serialize(self.ratio),
            "block_size": self.block_size,
        }

    @classmethod
    def from_config(cls, config: Config) -> "MaskGenerator":
        """Make a generator of this configuration, with new weights."""
        parts: Config = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("modalities", "draw", "ratio")
            if name in config
        }
        return super().from_config({**config, **parts})
