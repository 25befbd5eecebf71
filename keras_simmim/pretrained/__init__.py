"""Presets, and pretrained weights of this and of other libraries, read into a `SimMIM`."""

import pathlib
from typing import Any

from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.models.simmim import SimMIM
from keras_simmim.pretrained import preset_directory
from keras_simmim.pretrained.hub import push
from keras_simmim.pretrained.hugging_face import from_hugging_face
from keras_simmim.pretrained.hugging_face_files import download, read_directory, read_json
from keras_simmim.pretrained.official import from_official
from keras_simmim.pretrained.preset_directory import save
from keras_simmim.pretrained.pth import read_pth
from keras_simmim.training.keras_file import read_keras

__all__ = ["load", "push", "save"]


def load(
    address: str,
    image_shape: tuple[int, int, int] | None = None,
    kind: type[BackboneModel] = SimMIM,
) -> Any:
    """Read pretrained weights; nothing in them is executed, and no file outside of them is read.

    Args:
        address: a ".keras" file; a directory, by `save_to_preset`; "hf://owner/name"; and for a
            `SimMIM` an official ".pth" file, or Hugging Face's format.
        image_shape: (H, W, C) of the images to pretrain on, in pixels, to which positions are
            interpolated; the file's if None.
        kind: of the model that is expected.

    Raises:
        FileNotFoundError: if there is nothing at the address.
        ValueError: for a file that is damaged, does not fit, or holds a model of another kind.
        OSError: for a hub that cannot be reached.
        ImportError: for a format that needs a package which is not installed.
    """
    try:
        return _load(address, image_shape, kind)
    except (OSError, ImportError):
        raise
    except Exception as error:
        # Sizes and types that make no network are found by whatever they reach first.
        if isinstance(error, ValueError) and address.removeprefix("hf://") in str(error):
            raise
        reason = " ".join(str(error).split())[:500]
        raise ValueError(f"{address} cannot be read: {type(error).__name__}: {reason}") from error


def _load(
    address: str, image_shape: tuple[int, int, int] | None, kind: type[BackboneModel]
) -> BackboneModel:
    if address.endswith(".keras"):
        return _as_expected(read_keras(address), image_shape, kind, address)
    if kind is SimMIM and address.endswith(".pth"):
        arrays, metadata = read_pth(address)
        return from_official(arrays, metadata, address, image_shape)
    directory = download(address) if address.startswith("hf://") else pathlib.Path(address)
    if (directory / preset_directory.CONFIG).exists():
        return _as_expected(preset_directory.read(directory), image_shape, kind, address)
    if kind is not SimMIM:
        raise ValueError(
            f"{address} must be a .keras file or hold {preset_directory.CONFIG}, by "
            f"save_to_preset; ks.models.{kind.__name__}.from_pretrained takes other weights."
        )
    arrays, config = read_directory(directory)
    return from_hugging_face(arrays, config, address, image_shape, **_normalization(directory))


def _as_expected(
    model: Any,
    image_shape: tuple[int, int, int] | None,
    kind: type[BackboneModel],
    address: str,
) -> BackboneModel:
    if not isinstance(model, kind):
        raise ValueError(
            f"{address} holds no {kind.__name__}, but a {type(model).__name__}: read it by "
            f"{type(model).__name__}.from_preset."
        )
    if image_shape is not None and tuple(image_shape) != model.backbone.image_shape:
        raise ValueError(
            f"{address} was saved for image_shape={model.backbone.image_shape}, got "
            f"{image_shape}; make another SimMIM around model.backbone.resize(image_shape)."
        )
    return model


def _normalization(directory: pathlib.Path) -> dict[str, Any]:
    """Read the mean and deviation of the pixels, where the model says how it was fed."""
    file = directory / "preprocessor_config.json"
    if not file.exists():
        return {}
    config = read_json(file)
    return {
        name: tuple(255 * float(value) for value in config[key])
        for name, key in (("mean", "image_mean"), ("std", "image_std"))
        if key in config
    }
