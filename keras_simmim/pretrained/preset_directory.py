"""Presets: a model's configuration and weights in a directory."""

import json
import os
import pathlib

import keras

from keras_simmim.models.backbone_model import BackboneModel

CONFIG, WEIGHTS = "simmim.json", "model.weights.h5"


def save(model: BackboneModel, directory: str | os.PathLike) -> None:
    """Write a model to a directory, over a preset that is there.

    Raises:
        ValueError: for a directory that holds anything but such a preset.
    """
    directory = pathlib.Path(directory)
    others = sorted(
        {path.name for path in directory.iterdir()} - {CONFIG, WEIGHTS}
        if directory.is_dir()
        else []
    )
    if others or (directory.exists() and not directory.is_dir()):
        raise ValueError(
            f"directory={str(directory)!r} must be empty, new or an older preset; "
            f"it holds {others[:5]}."
        )
    directory.mkdir(parents=True, exist_ok=True)
    # Written aside and then renamed: a preset that is there survives a full disk.
    unfinished = directory / f"unfinished.{WEIGHTS}"
    try:
        model.save_weights(unfinished)
        text = json.dumps(keras.saving.serialize_keras_object(model), indent=2)
        os.replace(unfinished, directory / WEIGHTS)
    finally:
        unfinished.unlink(missing_ok=True)
    (directory / CONFIG).write_text(text, encoding="utf-8")


def read(directory: pathlib.Path) -> BackboneModel:
    """Read the model of a directory that `save` wrote.

    Raises:
        ValueError: for a file that is missing or damaged.
    """
    try:
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        model = keras.saving.deserialize_keras_object(config)
        if not isinstance(model, BackboneModel):
            raise ValueError(f"{CONFIG} describes no model, but a {type(model).__name__}.")
        model.load_weights(directory / WEIGHTS)
    except Exception as error:
        # Keras and HDF5 raise a dozen kinds for what is damaged.
        reason = " ".join(str(error).split())[:500]
        raise ValueError(f"{directory} is a damaged preset: {reason}") from error
    return model
