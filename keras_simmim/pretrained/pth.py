"""Reading of torch's .pth files, without torch and without running what is pickled in them."""

import math
import os
import re
import struct
import zipfile
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from keras_simmim.pretrained.unpickling import (
    RefusedError,
    Storage,
    StoredTensor,
    item_bytes,
    unpickle,
)

_OLD_FORMAT = (
    "is no zip archive, which torch.save writes since torch 1.6: write it anew with torch by "
    "torch.save(torch.load(path, map_location='cpu'), new_path)."
)
# A view may repeat what is stored. Beyond this a small file would fill the memory.
_MOST_BYTES_FOR_A_BYTE = 16
_LEAST_BYTES_TO_COUNT = 2**20
_DEEPEST_METADATA = 64

# What `zipfile` raises for damaged archives, beside its own error.
_DAMAGE = (
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
)


def read_pth(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[Any, Any]]:
    """Read the tensors of a file that `torch.save` wrote, without torch.

    The tensors are those under "model", else under "state_dict", else on the top level. Nothing
    that is pickled in the file is executed. Optimizer states are never read.

    Args:
        path: a file in torch's zip format, which torch 1.6 and later write.

    Returns:
        The tensors by name, as arrays of their own, bfloat16 as float32; and the other entries of
        the file as plain values, such as "epoch" or a nested "config". Entries of which the
        name starts with "optimizer" or which hold tensors are left out.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        ValueError: if the file is damaged, is none of torch's, holds no tensors, or names a
            Python object that tensors do not need.

    Example:
    ```python
    import torch
    from keras_simmim.pretrained.pth import read_pth

    torch.save({"model": {"head.weight": torch.ones(2, 3)}, "epoch": 7}, "weights.pth")
    tensors, metadata = read_pth("weights.pth")
    tensors["head.weight"].shape, metadata["epoch"]  # (2, 3), 7
    ```
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"path must be a checkpoint of torch, found nothing at {path!r}.")
    try:
        with open(path, "rb") as file:
            return _read(file)
    except RefusedError as refused:
        raise ValueError(f"{path!r} {refused}") from refused.__cause__


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Return the float32 values of bfloat16 numbers that are given as their uint16 bits."""
    # bfloat16 is the upper half of float32. In place, as 0-d arrays would become scalars.
    values = bits.astype(np.uint32, order="C")
    values <<= 16
    return values.view(np.float32)


def _read(file: BinaryIO) -> tuple[dict[str, np.ndarray], dict[Any, Any]]:
    start = file.read(4)
    if not start.startswith(b"PK"):
        raise RefusedError(_OLD_FORMAT)
    file_bytes = file.seek(0, os.SEEK_END)
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise RefusedError("is a damaged zip archive, perhaps cut short.") from error
    with archive:
        pickles = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(pickles) != 1:
            raise RefusedError("holds no 'data.pkl': it is a zip archive, but not one of torch.")
        tensors, others = _split(unpickle(_entry(archive, pickles[0])))
        folder = pickles[0].removesuffix("data.pkl")
        return _arrays(archive, folder, tensors, file_bytes), _metadata(others)


def _entry(archive: zipfile.ZipFile, name: str, length: int | None = None) -> bytes:
    """Return the content of an entry, of which the length may be known."""
    if name not in archive.namelist():
        raise RefusedError(f"is incomplete: it holds no {name!r}.")
    entry = archive.getinfo(name)
    # A compressed entry may be huge; torch stores its own as they are.
    if entry.compress_type != zipfile.ZIP_STORED:
        raise RefusedError(f"holds {name!r} compressed, as torch never writes it.")
    if length is not None and entry.file_size != length:
        raise RefusedError(f"holds {entry.file_size} bytes in {name!r} instead of {length}.")
    try:
        content = archive.read(entry)
    except _DAMAGE as error:
        raise RefusedError(f"is damaged: {name!r} cannot be read ({error}).") from error
    if len(content) != entry.file_size:
        raise RefusedError(f"is cut short: {name!r} is incomplete.")
    return content


def _split(content: Any) -> tuple[dict[str, StoredTensor], dict[Any, Any]]:
    """Return the tensors of the model, and all other entries."""
    if isinstance(content, dict):
        for key in ("model", "state_dict"):
            inner = content.get(key)
            if isinstance(inner, dict) and _has_tensors(inner):
                others = [
                    name for name, value in inner.items() if not isinstance(value, StoredTensor)
                ]
                if others:
                    raise RefusedError(
                        f"holds entries in {key!r} that are no tensors: {_texts(others)}."
                    )
                return _named(inner), {name: content[name] for name in content if name != key}
        if _has_tensors(content):
            tensors = {name: x for name, x in content.items() if isinstance(x, StoredTensor)}
            return _named(tensors), {key: content[key] for key in content if key not in tensors}
    raise RefusedError(
        "holds no tensors under 'model', under 'state_dict' or on the top level"
        + (f", which has {_texts(content)}." if isinstance(content, dict) else ".")
    )


def _has_tensors(entries: dict[Any, Any]) -> bool:
    return any(isinstance(value, StoredTensor) for value in entries.values())


def _named(tensors: dict[Any, StoredTensor]) -> dict[str, StoredTensor]:
    if not all(isinstance(name, str) for name in tensors):
        raise RefusedError("holds a tensor of which the name is no text.")
    return tensors


def _texts(names: Iterable[Any]) -> list[str]:
    """Return some names to show. What is no text may have a representation without end."""
    return [name[:80] for name in names if isinstance(name, str)][:8]


def _arrays(
    archive: zipfile.ZipFile, folder: str, tensors: dict[str, StoredTensor], file_bytes: int
) -> dict[str, np.ndarray]:
    order = "little"
    if f"{folder}byteorder" in archive.namelist():
        order = _entry(archive, f"{folder}byteorder").decode("ascii", "replace")
    if order not in ("little", "big"):
        raise RefusedError(f"has the byte order {order!r}, which must be 'little' or 'big'.")
    total = sum(
        item_bytes(x.dtype) * math.prod(max(n, 1) for n in x.size) for x in tensors.values()
    )
    if total > _MOST_BYTES_FOR_A_BYTE * max(file_bytes, _LEAST_BYTES_TO_COUNT):
        raise RefusedError(f"has {file_bytes} bytes and wants tensors of {total} bytes in total.")
    # Each storage is read once and then let go: the tensors may be as large as the memory.
    users: dict[Storage, list[str]] = {}
    for name, tensor in tensors.items():
        users.setdefault(tensor.storage, []).append(name)
    arrays = {}
    for storage, names in users.items():
        length = storage.elements * item_bytes(storage.dtype)
        content = _entry(archive, f"{folder}data/{storage.key}", length)
        arrays.update({name: _array(content, tensors[name], order) for name in names})
    return {name: arrays[name] for name in tensors}


def _array(content: bytes, tensor: StoredTensor, order: str) -> np.ndarray:
    # Bytes other than 0 and 1 make no valid bool.
    stored = np.dtype({"bfloat16": "u2", "bool": "u1"}.get(tensor.dtype, tensor.dtype))
    stored = stored.newbyteorder("<" if order == "little" else ">")
    if 0 in tensor.size:
        view = np.empty(tensor.size, stored)
    else:
        # The step along an axis of one is arbitrary, and may not fit into numpy's integers.
        steps = [
            step * stored.itemsize if length > 1 else 0
            for length, step in zip(tensor.size, tensor.stride, strict=True)
        ]
        start = tensor.offset * stored.itemsize
        view = np.ndarray(tensor.size, stored, content, start, steps)
    if tensor.dtype == "bfloat16":
        return from_bfloat16(view)
    return view.astype(tensor.dtype, order="C")


def _metadata(entries: dict[Any, Any]) -> dict[Any, Any]:
    """Return the entries that are plain values and no optimizer's state."""
    plain: dict[Any, Any] = {}
    for name, value in entries.items():
        if not (isinstance(name, str) and name.startswith("optimizer")):
            try:
                plain[_plain(name, {})] = _plain(value, {})
            except TypeError:
                continue
    return plain


def _plain(value: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """Return a copy of a value of Python's own types; raise TypeError for any other.

    `done` has the values that were met before, which may hold each other many times.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return value
    if id(value) not in done:
        if depth > _DEEPEST_METADATA:
            raise TypeError("The value may hold itself.")
        if isinstance(value, dict):
            parts = [(key, _plain(part, done, depth + 1)) for key, part in value.items()]
            done[id(value)] = {_plain(key, done, depth + 1): part for key, part in parts}
        elif type(value) in (list, tuple, set, frozenset):
            done[id(value)] = type(value)(_plain(part, done, depth + 1) for part in value)
        else:
            raise TypeError(f"{type(value).__name__} is no plain value.")
    return done[id(value)]
