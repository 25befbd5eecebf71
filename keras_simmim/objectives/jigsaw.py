"""Say where in the image a patch belongs."""

import keras
from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.heads.position_head import PositionHead
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.masking.draws.draw import check_seed
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.parts import Parts

# Keeps these draws apart from those of masks, which hash the same words.
_SALT = 0x4A694753


@keras.saving.register_keras_serializable("keras_simmim")
class Jigsaw(Objective):
    """Measure how well patches are put where they belong, by what they and the others show.

    A share of the visible patches lose their position embeddings, for which one learned vector
    stands, and a linear layer names their positions. For a `ViT` with absolute positions.

    Args:
        share: of the visible patches of a view, 0 < share ≤ 1, that lose their positions.
        weight: factor of the loss in the model's, at least 0.
        seed: 0 ≤ seed < 2³¹; which patches these are is a function of (seed, step, image).
        name: of the loss, "jigsaw" if None.

    Raises:
        ValueError: for arguments out of range; from `SimMIM`, for a backbone without absolute
            positions, or with relative ones, which would tell.

    Source: Noroozi and Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw
    Puzzles", ECCV 2016; on transformers Wang et al., "DropPos: Pre-Training Vision Transformers by
    Reconstructing Dropped Positions", NeurIPS 2023.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    objectives = [ks.objectives.Jigsaw(share=0.75)]
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1), objectives=objectives)
    model.compile("adamw")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype="uint8")
    sorted(model.evaluate(images, verbose=0, return_dict=True))
    # ['jigsaw_accuracy', 'jigsaw_loss', 'loss']
    ```
    """

    name = "jigsaw"
    loses_positions = True

    def __init__(
        self, share: float = 0.75, weight: float = 1.0, seed: int = 0, name: str | None = None
    ) -> None:
        super().__init__(weight, name)
        if not 0 < share <= 1:
            raise ValueError(f"share must be a number with 0 < share <= 1, got {share!r}.")
        self.share = float(share)
        self.seed = check_seed(seed)

    def prepare(self, parts: Parts) -> None:
        """Create the vector that stands for a position, and the layer that names one.

        Raises:
            ValueError: for a backbone whose tokens know their positions in any other way.
        """
        if not parts.embeds_positions:
            raise ValueError(
                "Jigsaw needs a backbone whose tokens know their positions from embeddings alone, "
                "which can be taken away: a ViT with position_embedding=True and "
                "relative_position_bias=None, masked on its features, got another."
            )
        rows, columns, dim = parts.feature_shape
        self.head = PositionHead(rows * columns, name="position_head", dtype=parts.dtype)
        self.head.build((None, None, dim))
        self.layers = [self.head]

    def log_names(self) -> tuple[str, ...]:
        """List the names of the loss and of the share of patches that found their places."""
        return (*super().log_names(), f"{self.name}_accuracy")

    def lost_positions(self, shown: Tensor, step: Tensor | int) -> tuple[Tensor, Tensor]:
        """Draw which visible patches lose their positions, ⌈share·n⌉ of n in each view."""
        images, count = ops.shape(shown)[0], shown.shape[1]
        visible = shown > 0.5
        drawn = random_uniform(self.seed ^ _SALT, step, images, count)
        order = ops.argsort(ops.where(visible, drawn, 2.0), axis=-1)
        ranks = ops.cast(ops.argsort(order, axis=-1), "float32")
        known = ops.sum(ops.cast(visible, "float32"), axis=-1, keepdims=True)
        lost = ranks < ops.ceil(self.share * known - 1e-4)
        return ops.cast(lost, "float32"), ops.convert_to_tensor(self.head.stand_in)

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the patches of each image that lost their positions."""
        encoded, lost, positions = masked_pass.encoded, masked_pass.lost, masked_pass.positions
        _, views, rows, columns, dim = encoded.shape
        tokens = ops.reshape(encoded, (-1, rows * columns, dim))
        if positions is None:
            numbers = ops.expand_dims(ops.arange(rows * columns, dtype="int32"), 0)
            places = ops.broadcast_to(numbers, ops.shape(lost))
        else:
            places = positions
            lost = take_rows(ops.expand_dims(lost, -1), positions)[..., 0]
        logits = ops.cast(self.head(tokens), "float32")
        entropy = ops.sparse_categorical_crossentropy(places, logits, from_logits=True)
        named = ops.cast(ops.argmax(logits, axis=-1), "int32")
        hits = ops.cast(named == places, "float32")

        def by_image(values: Tensor) -> Tensor:
            sums = ops.sum(ops.reshape(values * lost, (-1, views * rows * columns)), axis=1)
            return ops.divide_no_nan(sums, total)

        total = ops.sum(ops.reshape(lost, (-1, views * rows * columns)), axis=1)
        batch = kernels.batch_size(masked_pass.weights)
        return {
            f"{self.name}_loss": Measure(by_image(entropy), masked_pass.weights, batch),
            f"{self.name}_accuracy": Measure(by_image(hits), masked_pass.weights, batch),
        }

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"share": self.share, "seed": self.seed, **super().get_config()}
