"""One model's weights under their own names, and under those of other libraries."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_simmim.backend.types import Tensor
from keras_simmim.models.simmim import SimMIM
from keras_simmim.pretrained.presets import paper_simmim

Rename = Callable[[str], tuple[str, ...]]

# Both libraries store what follows from the size of the windows.
_CONSTANTS = re.compile(r"(relative_position_index|attn_mask|relative_coords_table)$")


def load_weights(
    model: SimMIM, arrays: Mapping[str, np.ndarray], rename: Rename, source: str
) -> None:
    """Give a model all weights of a pretrained model, or none.

    Args:
        model: the model to fill.
        arrays: its arrays by name, laid out as torch has them.
        rename: from the name of one of our weights to the names of the arrays that make it up,
            to be joined along their first axis.
        source: where it comes from, for errors.

    Raises:
        ValueError: for arrays that are missing, left over or of another shape; it lists them,
            and the model is as it was.
    """
    arrays = {name: array for name, array in arrays.items() if not _CONSTANTS.search(name)}
    wanted = {name: rename(name) for name in named_weights(model)}
    expected = {key for keys in wanted.values() for key in keys}
    missing = sorted(expected - set(arrays))
    unexpected = sorted(set(arrays) - expected)
    copies, misshapen = [], []
    for name, weight in named_weights(model).items():
        keys = wanted[name]
        if any(key not in arrays for key in keys):
            continue
        value = as_keras([arrays[key] for key in keys], name, tuple(weight.shape))
        if value.shape != tuple(weight.shape):
            shapes = [arrays[key].shape for key in keys]
            misshapen.append(f"{' + '.join(keys)}: {shapes} does not become {tuple(weight.shape)}")
        copies.append((weight, value))
    if missing or unexpected or misshapen:
        raise ValueError(
            f"{source} does not fit the model, nothing was loaded. Missing: {missing}. "
            f"Unexpected: {unexpected}. Of another shape: {misshapen}."
        )
    for weight, value in copies:
        weight.assign(value)


def resized(model: SimMIM, image_shape: tuple[int, int, int] | None) -> SimMIM:
    """Return the same model for images of another size, or itself if that is None or its own."""
    if image_shape is None or tuple(image_shape) == model.backbone.image_shape:
        return model
    backbone = model.backbone.resize(image_shape)
    other = paper_simmim(backbone, mean=model.mean, std=model.std)
    weights = named_weights(other)
    weights["mask_token"].assign(model.mask_token)
    other.head.set_weights(model.head.get_weights())
    return other


def named_weights(model: SimMIM) -> dict[str, Tensor]:
    """Give the trainable weights of backbone, mask token and head by their names."""
    weights = model.backbone.named_weights()
    if model.mask_token is not None:
        weights["mask_token"] = model.mask_token
    weights |= {f"head/{name}": weight for name, weight in model.head.named_weights().items()}
    return weights


def torch_name(name: str, layers: Mapping[str, str]) -> str:
    """Replace our layers' names by others', and our names of kernels and norms by torch's."""
    for pattern, replacement in layers.items():
        name, found = re.subn(f"^{pattern}", replacement, name)
        if found:
            break
    name = re.sub(r"/(kernel|gamma)$", ".weight", name)
    return re.sub(r"/(bias|beta)$", ".bias", name).replace("/", ".")


def as_keras(arrays: list[np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Convert torch's layout to Keras': transpose kernels, leave out axes of length 1 in front."""
    if any(array.ndim == 0 or array.shape[1:] != arrays[0].shape[1:] for array in arrays):
        return np.empty(0)
    array: Any = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    if name.endswith("/kernel"):
        if array.ndim == 4 and len(shape) == 2 and array.shape[2:] == (1, 1):
            array = array[:, :, 0, 0]
        return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    # Tokens and positions carry a batch axis, and Swin's positions are a sequence, not a map.
    if name == "encoder/position_embedding" and array.size == np.prod(shape):
        return array.reshape(shape) if array.shape[-1] == shape[-1] else array
    leading = array.shape[: max(array.ndim - len(shape), 0)]
    return array.reshape(array.shape[len(leading) :]) if set(leading) <= {1} else array
