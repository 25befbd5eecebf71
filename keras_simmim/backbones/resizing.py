"""Weights from one backbone to another of a different size or variant."""

from typing import Any

import numpy as np
from keras import ops
from scipy.interpolate import RectBivariateSpline

from keras_simmim.backend.types import Tensor

_TABLE = "relative_position_bias_table"


def copy_weights(source: Any, target: Any) -> None:
    """Copy all weights of a backbone into another, interpolating what depends on the image size.

    A table of relative positions that the source's blocks share goes to each of the target's
    blocks. A final norm or a fusion of blocks that the target does not have is left behind.

    Args:
        source: the backbone to read.
        target: the backbone to write.

    Raises:
        ValueError: for weights that only one of them has, or whose shapes differ otherwise;
            nothing is copied then.
    """
    have, want = _by_name(source), _by_name(target)
    copies, missing, misshapen = [], [], []
    shared = f"encoder/{_shared_table()}"
    copied_to_blocks = False
    for name, variable in want.items():
        wanted = name
        if name not in have and name.endswith(f"_{_shared_table()}"):
            wanted, copied_to_blocks = shared, True
        if wanted not in have:
            if not name.endswith("stochastic_depth/step"):
                missing.append(name)
            continue
        value = ops.convert_to_numpy(have.pop(wanted) if wanted == name else have[wanted])
        if name.endswith(_TABLE):
            value = resize_bias_table(value, _grid(source, wanted), _grid(target, name))
        elif name == "encoder/position_embedding":
            value = _resize_positions(value, source, target)
        if value.shape != tuple(variable.shape):
            misshapen.append(f"{name}: {value.shape} is not {tuple(variable.shape)}")
        copies.append((variable, value))
    left = [
        name
        for name in have
        if not name.endswith("stochastic_depth/step")
        and not (name == shared and copied_to_blocks)
        and not name.startswith(("encoder/norm/", "encoder/fusion/"))
    ]
    if missing or misshapen or left:
        raise ValueError(
            "the backbones do not have the same weights. "
            f"Missing: {missing}. Left over: {left}. Of another shape: {misshapen}."
        )
    for variable, value in copies:
        variable.assign(value)


def resize_bias_table(
    table: np.ndarray, source: tuple[int, int], target: tuple[int, int]
) -> np.ndarray:
    """Interpolate a table of relative position biases to another grid.

    Old offsets are taken to lie at geometrically growing distances, such that the outermost reach
    as far as the new ones; between them runs a cubic spline. Each axis for itself. Rows beyond the
    offsets, which belong to a class token, are kept.

    Args:
        table: ((2·rows − 1)·(2·columns − 1) + extra, heads).
        source: (rows, columns) of the table's grid.
        target: (rows, columns) of the new grid.

    Returns:
        A table of the target's grid.

    Source: the official code of Xie et al., "SimMIM", CVPR 2022, after that of BEiT.
    """
    if source == target:
        return table
    old, new = ([2 * side - 1 for side in grid] for grid in (source, target))
    offsets, extra = table[: old[0] * old[1]], table[old[0] * old[1] :]
    positions = [_geometric_positions(*lengths) for lengths in zip(old, new, strict=True)]
    wanted = [np.arange(length) - length // 2 for length in new]
    resized = [_spline(column.reshape(old), positions, wanted).reshape(-1) for column in offsets.T]
    return np.concatenate([np.stack(resized, axis=1), extra]).astype(table.dtype)


def _geometric_positions(length: int, target: int) -> np.ndarray:
    """Place `length` old offsets among `target` new ones, 0 in the middle."""
    if length == target:
        return np.arange(length) - length // 2
    half = length // 2
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        ratio = (low + high) / 2
        if (1 - ratio**half) / (1 - ratio) > target // 2:
            high = ratio
        else:
            low = ratio
    distances = np.cumsum(ratio ** np.arange(half))
    return np.concatenate([-distances[::-1], [0.0], distances])


def _resize_positions(table: np.ndarray, source: Any, target: Any) -> np.ndarray:
    """Interpolate absolute positions, (N, D) or (h, w, D), over the image."""
    old, new = source.positions, target.positions
    dim = table.shape[-1]
    if len(old) == 1:
        # A word's place in a text does not move with the text's length: what is new stays new.
        fresh = ops.convert_to_numpy(target.encoder.position_embedding)[len(table) :]
        return np.concatenate([table[: new[0]], fresh])
    flat = table.reshape(-1, dim)
    extra = len(flat) - old[0] * old[1]
    centers, wanted = ([(np.arange(side) + 0.5) / side for side in grid] for grid in (old, new))
    if old != new:
        columns = [_spline(column.reshape(old), centers, wanted) for column in flat[extra:].T]
        resized = np.stack(columns, axis=-1).reshape(-1, dim)
        flat = np.concatenate([flat[:extra], resized]).astype(table.dtype)
    return flat if table.ndim == 2 else flat.reshape(*new, dim)


def _spline(
    values: np.ndarray, positions: list[np.ndarray], wanted: list[np.ndarray]
) -> np.ndarray:
    """Interpolate values (rows, columns) by cubic splines, of lower degree where there are few."""
    # A spline of degree 0 does not exist; a single row or column is repeated instead.
    for axis in (0, 1):
        if values.shape[axis] == 1:
            values = np.repeat(values, 2, axis)
            positions[axis] = np.array([-1.0, 1.0])
    degrees = [min(3, length - 1) for length in values.shape]
    spline = RectBivariateSpline(*positions, values, kx=degrees[0], ky=degrees[1], s=0)
    return spline(*wanted)


def _shared_table() -> str:
    return f"relative_position_bias/{_TABLE}"


def _by_name(backbone: Any) -> dict[str, Tensor]:
    """Give all variables by their paths within the backbone."""
    return {variable.path.split("/", 1)[1]: variable for variable in backbone.variables}


def _grid(backbone: Any, name: str) -> tuple[int, int]:
    """Find the grid of the relative position table of this name."""
    layers = [*backbone._flatten_layers(include_self=False)]
    return next(
        layer.grid
        for layer in layers
        if getattr(layer, _TABLE, None) is not None
        and layer.relative_position_bias_table.path.split("/", 1)[1] == name
    )
