"""Let the views of one image agree, while images stay apart."""

import keras
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.heads.projector import Projector
from keras_simmim.masking.draws.draw import check_seed
from keras_simmim.objectives.contrast import infonce
from keras_simmim.objectives.isotropy import isotropy_loss, random_directions
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective, same_for_all
from keras_simmim.objectives.parts import Parts
from keras_simmim.objectives.visible_means import visible_means

# Widths K of the projections.
_DIMS = {"infonce": 128, "lejepa": 16}
_DIRECTIONS = 256


@keras.saving.register_keras_serializable("keras_simmim")
class Agreement(Objective):
    """Measure how well views of one image agree, in a space into which they are projected.

    The mean of each view's visible positions is projected by a perceptron, and the projections of
    partners are compared. A statistic of the batch, of all replicas' images. Batch norms in the
    projector follow each micro-batch where gradients are accumulated.

    Args:
        loss: "lejepa": (1 − balance)·mean (z − z̄)² over partners, and balance times how far the
            projections are from a normal distribution; "infonce": recognize the partners among
            the views of all other images.
        between: "views": the masked views of one crop are partners, for a mask generator of
            several views, which may have lost different modalities; "crops": all views of all
            crops of one picture, for batches (B, 2, H, W, C) or a `SimMIM` that draws crops.
        weight: factor of the loss in the model's, at least 0.
        temperature: τ of "infonce", above 0.
        balance: λ of "lejepa", 0–1.
        dim: width K of the projections; 128 for "infonce" and 16 for "lejepa" if None.
        hidden_dim: width of the projector's hidden layers; see `ks.heads.Projector`.
        seed: of the directions of "lejepa", 0 ≤ seed < 2³¹.
        name: of the loss, "agreement" if None.

    Raises:
        ValueError: for arguments out of range; from `SimMIM`, for a mask generator of one view.

    Source: Mishra et al., "A Simple, Efficient and Scalable Contrastive Masked Autoencoder for
    Learning Visual Representations", 2022; Balestriero and LeCun, "LeJEPA: Provable and Scalable
    Self-Supervised Learning Without the Heuristics", 2025.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    masking = ks.masking.SpatialMasking(0.5, block_size=1, views=2)
    objectives = [ks.objectives.Reconstruction(), ks.objectives.Agreement("infonce")]
    model = ks.SimMIM(backbone, masking, encode="visible", objectives=objectives)
    model.compile("adamw")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype="uint8")
    "agreement_loss" in model.train_on_batch(images, return_dict=True)   # True
    ```
    """

    name = "agreement"
    is_batch_statistic = True
    least_images = 2

    def __init__(
        self,
        loss: str = "lejepa",
        between: str = "views",
        weight: float = 1.0,
        temperature: float = 0.1,
        balance: float = 0.05,
        dim: int | None = None,
        hidden_dim: int | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(weight, name)
        if loss not in _DIMS:
            raise ValueError(f"loss must be one of {tuple(_DIMS)}, got {loss!r}.")
        if between not in ("views", "crops"):
            raise ValueError(f"between must be 'views' or 'crops', got {between!r}.")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}.")
        if not 0 <= balance <= 1:
            raise ValueError(f"balance must be from 0 to 1, got {balance!r}.")
        self.loss = loss
        self.between = between
        self.temperature = float(temperature)
        self.balance = float(balance)
        self.dim = dim
        self.hidden_dim = hidden_dim
        self.seed = check_seed(seed)
        self.least_crops = 2 if between == "crops" else 1
        self.projector = Projector(_DIMS[loss] if dim is None else dim, hidden_dim)

    def prepare(self, parts: Parts) -> None:
        """Create the projector.

        Raises:
            ValueError: for a mask generator of one view, whose views have no partners.
        """
        if self.between == "views" and parts.mask_generator.views < 2:
            raise ValueError(
                "Agreement(between='views') needs a mask generator of at least 2 views, such as "
                "SpatialMasking(views=2) or MaskGenerator(…, ratio=IndependentViews(…)), got one "
                f"view of {type(parts.mask_generator).__name__}; or compare two crops, "
                "between='crops'."
            )
        self.mask_generator = parts.mask_generator
        dim, hidden_dim = self.projector.dim, self.projector.hidden_dim
        self.projector = Projector(dim, hidden_dim, name="projector", dtype=parts.dtype)
        self.projector.build((None, parts.feature_shape[-1]))
        self.layers = [self.projector]

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the images of a batch that count at all; nothing of single crops, if needed."""
        crops, views = masked_pass.crops, masked_pass.encoded.shape[1]
        if crops < self.least_crops:
            return {}
        # All replicas project what all of them encoded: so do the batch norms see all of it.
        means = devices.all_examples(visible_means(masked_pass, self.mask_generator))
        counted = devices.all_examples(masked_pass.counted())
        projections = self.projector(
            ops.reshape(means, (-1, means.shape[-1])),
            training=training,
            counted=ops.repeat(counted, crops * views) > 0,
        )
        projections = ops.reshape(
            ops.cast(projections, "float32"), (-1, crops * views, self.projector.dim)
        )
        is_one = self.between == "crops"
        groups = tuple(0 if is_one else crop for crop in range(crops) for _ in range(views))
        if self.loss == "infonce":
            loss = infonce(projections, groups, self.temperature, counted)
        else:
            directions = random_directions(
                self.seed, masked_pass.step, _DIRECTIONS, self.projector.dim
            )
            apart = isotropy_loss(projections, directions, counted)
            together = _spread(projections, max(groups) + 1, counted)
            loss = (1 - self.balance) * together + self.balance * apart
        return {f"{self.name}_loss": same_for_all(loss, masked_pass)}

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            "loss": self.loss,
            "between": self.between,
            "temperature": self.temperature,
            "balance": self.balance,
            "dim": self.dim,
            "hidden_dim": self.hidden_dim,
            "seed": self.seed,
            **super().get_config(),
        }


def _spread(projections: Tensor, groups: int, counted: Tensor) -> Tensor:
    """Average (z − z̄)² over images, views and coordinates, z̄ the mean of a view's partners.

    Args:
        projections: float32 (N, P, K).
        groups: number of equal groups of partners that the P views are, one after the other.
        counted: float32 (N,), 1 for an image that counts, else 0.
    """
    _, views, dim = projections.shape
    parts = ops.reshape(projections, (-1, groups, views // groups, dim))
    squares = ops.square(parts - ops.mean(parts, axis=2, keepdims=True))
    values = ops.mean(squares, axis=(1, 2, 3))
    return ops.divide_no_nan(ops.sum(values * counted), ops.sum(counted))
