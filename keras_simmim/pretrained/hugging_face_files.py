"""Directories in Hugging Face's format, local or on the hub."""

import functools
import json
import pathlib
import re
from typing import Any

import numpy as np

from keras_simmim.pretrained.pth import read_pth

_INSTALL = 'pip install "keras-simmim[hub]"'
_CONFIGS = ["config.json", "preprocessor_config.json", "simmim.json"]
# A star matches folders too, such as those of a training's states.
_WEIGHTS = [
    "model.safetensors",
    "model.safetensors.index.json",
    "model-?????-of-?????.safetensors",
    "model.weights.h5",
]


def read_directory(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the weights and the configuration of a directory in Hugging Face's format.

    Args:
        path: holds config.json and model.safetensors, its shards, or pytorch_model.bin.

    Returns:
        The arrays by name, laid out as torch has them, and the contents of config.json.

    Raises:
        ValueError: for files that are missing or damaged.
        ImportError: where safetensors is not installed.
    """
    path = pathlib.Path(path)
    config = read_json(path / "config.json")
    if (path / "model.safetensors").exists():
        return _read_safetensors(path / "model.safetensors"), config
    index = path / "model.safetensors.index.json"
    if index.exists():
        return _read_shards(index), config
    if (path / "pytorch_model.bin").exists():
        return read_pth(path / "pytorch_model.bin")[0], config
    raise ValueError(
        f"{path} has no model.safetensors, model.safetensors.index.json or pytorch_model.bin; it "
        f"holds {sorted(file.name for file in path.iterdir())[:10]}."
    )


def _read_shards(index: pathlib.Path) -> dict[str, np.ndarray]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise ValueError(f"{index} is damaged: its 'weight_map' does not name a file per tensor.")
    arrays: dict[str, np.ndarray] = {}
    for shard in sorted(set(places.values())):
        if shard == ".." or pathlib.Path(shard).name != shard:
            raise ValueError(f"{index} names the file {shard!r}, which is not beside it.")
        arrays |= _read_safetensors(index.parent / shard)
    if missing := sorted(places.keys() - arrays.keys()):
        raise ValueError(f"{index} names tensors that its files do not hold: {missing[:10]}.")
    return arrays


def read_json(file: pathlib.Path) -> dict[str, Any]:
    """Read the JSON object of a file.

    Raises:
        ValueError: for a file that is missing, damaged or holds anything else; it names the file.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{file} is missing.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged: it holds no JSON object.")
    return content


def _read_safetensors(file: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(f"{file} needs the package safetensors: {_INSTALL}") from error
    try:
        arrays = safetensors.numpy.load_file(file)
    except FileNotFoundError as error:
        raise ValueError(f"{file} is missing.") from error
    except (safetensors.SafetensorError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged, or of a type NumPy lacks: {error}") from error
    return {name: np.asarray(array, "float32") for name, array in arrays.items()}


def download(address: str) -> pathlib.Path:
    """Download a model from the Hugging Face hub, unless it is in the cache.

    Args:
        address: "hf://owner/name" or "hf://owner/name@revision".

    Returns:
        The folder of the model in the hub's cache.

    Raises:
        ValueError: for another form of address.
        ImportError: where huggingface_hub is not installed.
        ConnectionError: where the hub does not give the model.
    """
    form = re.fullmatch(r"hf://([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?", address, re.ASCII)
    # The revision becomes a path in the hub's cache.
    if form is None or ".." in address:
        raise ValueError(
            f"address must be hf://owner/name or hf://owner/name@revision: {address!r}"
        )
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(f"{address} needs the package huggingface_hub: {_INSTALL}") from error
    try:
        fetch = functools.partial(huggingface_hub.snapshot_download, form[1], revision=form[2])
        folder = pathlib.Path(fetch(allow_patterns=_CONFIGS + _WEIGHTS))
        if not any((folder / name).exists() for name in _WEIGHTS):
            # Only now: many models have their weights in both formats.
            folder = pathlib.Path(fetch(allow_patterns=[*_CONFIGS, "pytorch_model.bin"]))
    except huggingface_hub.errors.HFValidationError as error:
        raise ValueError(f"{address} is no address of a model: {error}") from error
    except Exception as error:
        # The hub's client raises a dozen kinds of its own and of its transport's.
        raise ConnectionError(
            f"{address} could not be brought from the hub: is there a network, and does it exist? "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error
    return folder
