"""The network of a pretrained model, made ready for another task."""

import inspect
import os
from typing import Any

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config


def pretrained(
    source: Any, image_shape: tuple[int, int, int] | None, drop_path_rate: float | None
) -> tuple[Backbone, Config]:
    """A copy of the source's backbone without its last norm, and its mean and std.

    Args:
        source: a model with a `backbone`, a `Backbone`, a `.keras` file, or what
            `SimMIM.from_preset` takes.
        image_shape: (H, W, C) in pixels; the source's if None.
        drop_path_rate: of the copy, where it has blocks; the source's if None.

    Raises:
        ValueError: for a source that is none of these, or a shape that it cannot take.
    """
    if isinstance(source, str | os.PathLike):
        source = _load(os.fspath(source))
    normalisation: Config = {}
    backbone = source
    if not isinstance(source, Backbone):
        backbone = getattr(source, "backbone", None)
        if not isinstance(backbone, Backbone):
            raise ValueError(
                "source must be a SimMIM, a Backbone, a .keras file or a preset, "
                f"got {type(source).__name__}."
            )
        normalisation = {"mean": source.mean, "std": source.std}
    parameters = inspect.signature(type(backbone).__init__).parameters
    changes: Config = {}
    if "final_norm" in parameters:
        changes["final_norm"] = False
    if drop_path_rate is not None and "drop_path_rate" in parameters:
        changes["drop_path_rate"] = drop_path_rate
    config = backbone.get_config()
    if config.get("relative_position_bias") == "shared":
        changes["relative_position_bias"] = "block"
    shape = backbone.image_shape if image_shape is None else tuple(image_shape)
    if changes or shape != backbone.image_shape:
        return backbone.resize(shape, **changes), normalisation
    copy = type(backbone).from_config(config)
    copy.set_weights(backbone.get_weights())
    return copy, normalisation


def _load(address: str) -> Any:
    # Both import the models, which import this package.
    from keras_simmim.models.simmim import SimMIM
    from keras_simmim.training.keras_file import read_keras

    if address.endswith(".keras"):
        return read_keras(address)
    return SimMIM.from_preset(address)
