"""Presets, and pretrained weights of this and of other libraries, read into a `SimMIM`."""

import pathlib
from typing import Any

from keras_simmim.models.simmim import SimMIM
from keras_simmim.pretrained import preset_directory
from keras_simmim.pretrained.hugging_face import from_hugging_face
from keras_simmim.pretrained.hugging_face_files import download, read_directory, read_json
from keras_simmim.pretrained.official import from_official
from keras_simmim.pretrained.preset_directory import save
from keras_simmim.pretrained.pth import read_pth
from keras_simmim.training.keras_file import read_keras

__all__ = ["load", "save"]


def load(address: str, image_shape: tuple[int, int, int] | None = None) -> SimMIM:
    """Read pretrained weights; nothing in them is executed, and no file outside of them is read.

    Args:
        address: an official ".pth" file; a ".keras" file; a directory, by
            `SimMIM.save_to_preset` or in Hugging Face's format; or "hf://owner/name".
        image_shape: (H, W, C) of the images to pretrain on, in pixels, to which positions are
            interpolated; the file's if None.

    Raises:
        FileNotFoundError: if there is nothing at the address.
        ValueError: for a file that is damaged, or does not fit.
        OSError: for a hub that cannot be reached.
        ImportError: for a format that needs a package which is not installed.
    """
    try:
        return _load(address, image_shape)
    except (OSError, ImportError):
        raise
    except Exception as error:
        # Sizes and types that make no network are found by whatever they reach first.
        if isinstance(error, ValueError) and address.removeprefix("hf://") in str(error):
            raise
        reason = " ".join(str(error).split())[:500]
        raise ValueError(f"{address} cannot be read: {type(error).__name__}: {reason}") from error


def _load(address: str, image_shape: tuple[int, int, int] | None) -> SimMIM:
    if address.endswith(".pth"):
        arrays, metadata = read_pth(address)
        return from_official(arrays, metadata, address, image_shape)
    if address.endswith(".keras"):
        model = read_keras(address)
        if not isinstance(model, SimMIM):
            raise ValueError(f"{address} holds no SimMIM, but a {type(model).__name__}.")
        return _of_shape(model, image_shape, address)
    directory = download(address) if address.startswith("hf://") else pathlib.Path(address)
    if (directory / preset_directory.CONFIG).exists():
        return _of_shape(preset_directory.read(directory), image_shape, address)
    arrays, config = read_directory(directory)
    return from_hugging_face(arrays, config, address, image_shape, **_normalization(directory))


def _of_shape(model: SimMIM, image_shape: tuple[int, int, int] | None, address: str) -> SimMIM:
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
