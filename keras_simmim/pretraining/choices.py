"""What is pretrained where nothing was asked for, by the number and the size of the images."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_simmim.backbones import ViT
from keras_simmim.heads import TransformerHead
from keras_simmim.masking import SpatialMasking
from keras_simmim.models import SimMIM
from keras_simmim.objectives import Agreement, Objective, Reconstruction

# Share of an image that a crop shows, where two are to agree.
CROP_SCALE = (0.15, 1.0)


@dataclasses.dataclass(frozen=True)
class Choice:
    """Hold what `choose` chose.

    Args:
        tokens: about how many patches an image is cut into.
        num_layers: blocks of the ViT.
        num_heads: attention heads of a block.
        hidden_dim: width of the ViT.
        batch_size: images of a batch.
        epochs: passes over the images.
        learning_rate: at its highest, for this batch size.
    """

    tokens: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    batch_size: int
    epochs: int
    learning_rate: float

    def patch_size(self, image_size: tuple[int, int]) -> int:
        """Give the side of a patch, in pixels, for images of (height, width) pixels.

        Of all that divide both, the one whose number of patches is nearest, by ratio.
        """
        height, width = image_size
        sides = [
            side for side in range(1, min(image_size) + 1) if height % side == width % side == 0
        ]
        counts = [height * width / side**2 for side in sides]
        return min(zip(sides, counts, strict=True), key=lambda pair: self._distance(pair[1]))[0]

    def _distance(self, count: float) -> float:
        return max(count / self.tokens, self.tokens / count)

    def fitting(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Give the (height, width) nearest to this that whole patches fill."""
        patch = max(round((image_size[0] * image_size[1] / self.tokens) ** 0.5), 1)
        rows, columns = (max(round(side / patch), 1) * patch for side in image_size)
        return rows, columns


def choose(count: int | None) -> Choice:
    """Choose a network and its training for so many images.

    | images | patches | blocks × width | batch | epochs | largest side of files |
    |---|---|---|---|---|---|
    | below 5,000 | 64 | 4 × 128 | 64 | 200 | 64 |
    | 5,000 to 50,000 | 64 | 6 × 192 | 128 | 100 | 96 |
    | above, or unknown | 196 | 12 × 384 | 256 | 100 | 224 |

    Args:
        count: number of images; None if it is not known.

    Returns:
        The choice; its batch size is at most the number of images.

    Example:
    ```python
    import keras_simmim as ks

    choice = ks.pretraining.choose(2000)
    choice.hidden_dim, choice.patch_size((64, 64))   # (128, 8)
    ```
    """
    if count is not None and count < 5_000:
        return Choice(64, 4, 4, 128, min(64, count), 200, 1.5e-3)
    if count is not None and count < 50_000:
        return Choice(64, 6, 6, 192, 128, 100, 1.0e-3)
    return Choice(196, 12, 6, 384, 256, 100, 6e-4)


def largest_side(count: int | None) -> int:
    """Give the side, in pixels, to which larger files are shrunk: the last column of `choose`."""
    if count is None or count >= 50_000:
        return 224
    return 64 if count < 5_000 else 96


def new_model(
    sample: np.ndarray,
    choice: Choice,
    steps: int,
    seed: int = 0,
    reconstructs: bool = False,
    patch_size: int | None = None,
    **options: Any,
) -> SimMIM:
    """Make a compiled model for images like these.

    It encodes the visible quarter of the patches of two crops of each image, and learns to find
    the one by the other among all crops of the batch. This taught most of what was compared in
    benchmarks/representation.py at equal time, of one seed.

    Args:
        sample: some of the images, (N, H, W, C) of 0–255, whose mean and deviation are taken.
        choice: from `choose`.
        steps: number of training steps, over which the rate rises and falls.
        seed: of the masks.
        reconstructs: whether the normalized pixels of the hidden patches are predicted as well, to
            be looked at; steps then take about a third longer.
        patch_size: side of a patch, in pixels; the choice's if None.
        **options: of `SimMIM`, instead of those chosen.

    Returns:
        A `SimMIM`.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype="uint8")
    model = ks.pretraining.new_model(images, ks.pretraining.choose(8), steps=100)
    model.backbone.patch_size   # 4
    ```
    """
    patch = choice.patch_size(sample.shape[1:3]) if patch_size is None else patch_size
    backbone = ViT(
        sample.shape[1:],
        patch,
        num_layers=choice.num_layers,
        num_heads=choice.num_heads,
        hidden_dim=choice.hidden_dim,
    )
    objectives: list[Objective] = [Agreement("infonce", between="crops")]
    chosen: dict[str, Any] = {
        "mask_generator": SpatialMasking(0.75, block_size=1, seed=seed),
        "encode": "visible",
        "objectives": objectives,
        "mean": tuple(sample.mean((0, 1, 2)).tolist()),
        "std": tuple(np.maximum(sample.std((0, 1, 2)), 1).tolist()),
    }
    if reconstructs:
        objectives.append(Reconstruction("normalized_pixels", weight=0.1))
        chosen["head"] = TransformerHead(num_layers=1)
    model = SimMIM(backbone, **{**chosen, **options})
    compile_model(model, choice.learning_rate, steps)
    return model


def compile_model(model: SimMIM, learning_rate: float, steps: int) -> None:
    """Compile a model with AdamW, whose rate rises for a tenth of the steps and then falls.

    Args:
        model: to compile.
        learning_rate: the highest.
        steps: of the whole training.
    """
    optimizer = keras.optimizers.AdamW(
        rate_of(learning_rate, steps), weight_decay=0.05, beta_2=0.95, global_clipnorm=5.0
    )
    # XLA pays on TensorFlow even on a CPU, where "auto" leaves it off.
    model.compile(optimizer, jit_compile=keras.backend.backend() == "tensorflow" or "auto")


def rate_of(learning_rate: float, steps: int) -> keras.optimizers.schedules.CosineDecay:
    """Make a rate that rises for a tenth of the steps and then falls.

    Args:
        learning_rate: the highest.
        steps: of the whole training.
    """
    warmup = {"warmup_target": learning_rate, "warmup_steps": max(steps // 10, 1)}
    return keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)


def follow_steps(model: Any, learning_rate: float, steps: int) -> None:
    """Let the rate of a model that goes on fall until the last of another number of steps.

    A rate that `rate_of` did not make stays as it is.

    Args:
        model: compiled.
        learning_rate: the highest.
        steps: of the whole training, those that are done among them.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    now = keras.saving.serialize_keras_object(rate_of(learning_rate, steps))
    then = optimizer.get_config()["learning_rate"]
    if not isinstance(then, dict) or then["class_name"] != now["class_name"]:
        return
    made = rate_of(learning_rate, then["config"]["decay_steps"])
    if then["config"] == made.get_config():
        optimizer.learning_rate = rate_of(learning_rate, steps)
