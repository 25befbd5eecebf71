"""Checkpoints of torch, read without torch and without running what is pickled in them."""

import io
import math
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

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


class _RefusedError(Exception):
    """The reason why a file is not read, without its path."""


class _Storage(NamedTuple):
    """The bytes that tensors are views of, by their name in the archive."""

    dtype: str
    key: str
    elements: int


class _Tensor(NamedTuple):
    """A view of a storage that is not read yet; offset and strides count elements."""

    storage: _Storage
    dtype: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def read_pth(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[Any, Any]]:
    """Reads the tensors of a checkpoint that `torch.save` wrote, without torch.

    The tensors are those under "model", else under "state_dict", else on the top level. Nothing
    that is pickled in the file is executed. Optimizer states are never read.

    Args:
        path: a file in torch's zip format, which torch 1.6 and later write.

    Returns:
        The tensors by name, as arrays of their own, bfloat16 as float32; and the other entries of
        the checkpoint as plain values, such as "epoch" or a nested "config". Entries of which the
        name starts with "optimizer" or which hold tensors are left out.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        ValueError: if the file is damaged, is no such checkpoint, holds no tensors, or names a
            Python object that a checkpoint of tensors does not need.

    Example:
    ```python
    import torch

    torch.save({"model": {"head.weight": torch.ones(2, 3)}, "epoch": 7}, "checkpoint.pth")
    tensors, metadata = read_pth("checkpoint.pth")
    tensors["head.weight"].shape, metadata["epoch"]  # (2, 3), 7
    ```
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"path must be a checkpoint of torch, found nothing at {path!r}.")
    try:
        with open(path, "rb") as file:
            return _read(file)
    except _RefusedError as refused:
        raise ValueError(f"{path!r} {refused}") from refused.__cause__


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Returns the float32 values of bfloat16 numbers that are given as their uint16 bits."""
    # bfloat16 is the upper half of float32. In place, as 0-d arrays would become scalars.
    values = bits.astype(np.uint32, order="C")
    values <<= 16
    return values.view(np.float32)


def _read(file: BinaryIO) -> tuple[dict[str, np.ndarray], dict[Any, Any]]:
    start = file.read(4)
    if not start.startswith(b"PK"):
        raise _RefusedError(_OLD_FORMAT)
    file_bytes = file.seek(0, os.SEEK_END)
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise _RefusedError("is a damaged zip archive, perhaps cut short.") from error
    with archive:
        pickles = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(pickles) != 1:
            raise _RefusedError("holds no 'data.pkl': it is a zip archive, but not one of torch.")
        tensors, others = _split(_unpickle(_entry(archive, pickles[0])))
        folder = pickles[0].removesuffix("data.pkl")
        return _arrays(archive, folder, tensors, file_bytes), _metadata(others)


def _entry(archive: zipfile.ZipFile, name: str, length: int | None = None) -> bytes:
    """Returns the content of an entry, of which the length may be known."""
    if name not in archive.namelist():
        raise _RefusedError(f"is incomplete: it holds no {name!r}.")
    entry = archive.getinfo(name)
    # A compressed entry may be huge; torch stores its own as they are.
    if entry.compress_type != zipfile.ZIP_STORED:
        raise _RefusedError(f"holds {name!r} compressed, as torch never writes it.")
    if length is not None and entry.file_size != length:
        raise _RefusedError(f"holds {entry.file_size} bytes in {name!r} instead of {length}.")
    try:
        content = archive.read(entry)
    except _DAMAGE as error:
        raise _RefusedError(f"is damaged: {name!r} cannot be read ({error}).") from error
    if len(content) != entry.file_size:
        raise _RefusedError(f"is cut short: {name!r} is incomplete.")
    return content


def _unpickle(content: bytes) -> Any:
    try:
        return _Unpickler(io.BytesIO(content), encoding="utf-8").load()
    except _RefusedError:
        raise
    except Exception as error:
        raise _RefusedError(f"holds a damaged 'data.pkl' ({type(error).__name__}).") from error


def _split(content: Any) -> tuple[dict[str, _Tensor], dict[Any, Any]]:
    """Returns the tensors of the model, and all other entries."""
    if isinstance(content, dict):
        for key in ("model", "state_dict"):
            inner = content.get(key)
            if isinstance(inner, dict) and _has_tensors(inner):
                others = [name for name, value in inner.items() if not isinstance(value, _Tensor)]
                if others:
                    raise _RefusedError(
                        f"holds entries in {key!r} that are no tensors: {_texts(others)}."
                    )
                return _named(inner), {name: content[name] for name in content if name != key}
        if _has_tensors(content):
            tensors = {name: x for name, x in content.items() if isinstance(x, _Tensor)}
            return _named(tensors), {key: content[key] for key in content if key not in tensors}
    raise _RefusedError(
        "holds no tensors under 'model', under 'state_dict' or on the top level"
        + (f", which has {_texts(content)}." if isinstance(content, dict) else ".")
    )


def _has_tensors(entries: dict[Any, Any]) -> bool:
    return any(isinstance(value, _Tensor) for value in entries.values())


def _named(tensors: dict[Any, _Tensor]) -> dict[str, _Tensor]:
    if not all(isinstance(name, str) for name in tensors):
        raise _RefusedError("holds a tensor of which the name is no text.")
    return tensors


def _texts(names: Iterable[Any]) -> list[str]:
    """Returns some names to show. What is no text may have a representation without end."""
    return [name[:80] for name in names if isinstance(name, str)][:8]


def _arrays(
    archive: zipfile.ZipFile, folder: str, tensors: dict[str, _Tensor], file_bytes: int
) -> dict[str, np.ndarray]:
    order = "little"
    if f"{folder}byteorder" in archive.namelist():
        order = _entry(archive, f"{folder}byteorder").decode("ascii", "replace")
    if order not in ("little", "big"):
        raise _RefusedError(f"has the byte order {order!r}, which must be 'little' or 'big'.")
    total = sum(
        _item_bytes(x.dtype) * math.prod(max(n, 1) for n in x.size) for x in tensors.values()
    )
    if total > _MOST_BYTES_FOR_A_BYTE * max(file_bytes, _LEAST_BYTES_TO_COUNT):
        raise _RefusedError(f"has {file_bytes} bytes and wants tensors of {total} bytes in total.")
    # Each storage is read once and then let go: the tensors may be as large as the memory.
    users: dict[_Storage, list[str]] = {}
    for name, tensor in tensors.items():
        users.setdefault(tensor.storage, []).append(name)
    arrays = {}
    for storage, names in users.items():
        length = storage.elements * _item_bytes(storage.dtype)
        content = _entry(archive, f"{folder}data/{storage.key}", length)
        arrays.update({name: _array(content, tensors[name], order) for name in names})
    return {name: arrays[name] for name in tensors}


def _array(content: bytes, tensor: _Tensor, order: str) -> np.ndarray:
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


def _item_bytes(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _metadata(entries: dict[Any, Any]) -> dict[Any, Any]:
    """Returns the entries that are plain values and no optimizer's state."""
    plain: dict[Any, Any] = {}
    for name, value in entries.items():
        if not (isinstance(name, str) and name.startswith("optimizer")):
            try:
                plain[_plain(name, {})] = _plain(value, {})
            except TypeError:
                continue
    return plain


def _plain(value: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """Returns a value of Python's own types, raises TypeError if it holds anything else.

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


class _Mapping(dict):
    """What takes the place of mappings, be it CfgNode or OrderedDict; their attributes are lost."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class _Namespace(_Mapping):
    """What takes the place of objects that hold nothing but attributes."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        self.update(state)


class _NumpyType:
    """What takes the place of numpy.dtype."""

    def __init__(self, code: str, align: Any = None, copy: Any = None) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.code = state[1] + self.code


class _Function:
    """A function that a pickle can call but, unlike a plain function, not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("changes a function while it is read: refused.")


def _numpy_scalar(dtype: _NumpyType, content: bytes) -> Any:
    if not re.fullmatch(r"[<>]?[biufc]\d{1,2}", dtype.code):
        raise _RefusedError(f"holds a numpy scalar of the type {dtype.code!r}.")
    return np.frombuffer(content, np.dtype(dtype.code), count=1)[0].item()


def _tensor_of_typed_storage(
    storage: _Storage, offset: int, size: Any, stride: Any, *others: Any
) -> _Tensor:
    # The others are requires_grad, the hooks, and flags such as "conjugated" if there are any.
    if any(others[2:]):
        raise _RefusedError("holds a tensor with flags that are not known, perhaps conjugated.")
    return _tensor(storage, storage.dtype, offset, size, stride)


def _tensor_of_bytes(
    storage: _Storage, offset: int, size: Any, stride: Any, *others: Any
) -> _Tensor:
    # As above, with the dtype behind the hooks.
    if any(others[3:]) or others[2] not in _DTYPES:
        raise _RefusedError("holds a tensor of a type that is not known.")
    return _tensor(storage, _DTYPES[others[2]], offset, size, stride)


def _tensor(storage: _Storage, dtype: str, offset: int, size: Any, stride: Any) -> _Tensor:
    """Returns the tensor if it lies within its storage."""
    tensor = _Tensor(storage, dtype, offset, tuple(size), tuple(stride))
    numbers = (tensor.offset, *tensor.size, *tensor.stride)
    if not isinstance(storage, _Storage) or not all(map(_is_count, numbers)):
        raise _RefusedError("holds a tensor with sizes that are no counts.")
    if len(tensor.size) != len(tensor.stride) or len(tensor.size) > 32:
        raise _RefusedError(
            f"holds a tensor with {len(tensor.size)} sizes and {len(stride)} strides."
        )
    last = offset + sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride, strict=True))
    available = storage.elements * _item_bytes(storage.dtype) // _item_bytes(dtype)
    if 0 not in tensor.size and last >= available:
        raise _RefusedError(
            f"holds a tensor of size {tensor.size}, stride {tensor.stride} and offset {offset}, "
            f"which reaches beyond the {available} elements of its storage."
        )
    return tensor


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63


_DTYPES = {
    "torch.float64": "float64",
    "torch.float32": "float32",
    "torch.float16": "float16",
    "torch.bfloat16": "bfloat16",
    "torch.int64": "int64",
    "torch.int32": "int32",
    "torch.int16": "int16",
    "torch.int8": "int8",
    "torch.uint64": "uint64",
    "torch.uint32": "uint32",
    "torch.uint16": "uint16",
    "torch.uint8": "uint8",
    "torch.bool": "bool",
    "torch.complex64": "complex64",
    "torch.complex128": "complex128",
}
_STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.storage.UntypedStorage": "uint8",
}
# Everything that a pickle may name, and the harmless thing that it gets instead.
_GLOBALS: dict[str, Any] = {
    **{name: name for name in (*_DTYPES, *_STORAGES)},
    "torch._utils._rebuild_tensor_v2": _Function(_tensor_of_typed_storage),
    "torch._utils._rebuild_tensor_v3": _Function(_tensor_of_bytes),
    "torch._utils._rebuild_parameter": _Function(lambda tensor, *others: tensor),
    "torch.Size": _Function(tuple),
    "collections.OrderedDict": _Mapping,
    "collections.Counter": _Mapping,
    "yacs.config.CfgNode": _Mapping,
    "argparse.Namespace": _Namespace,
    "numpy.dtype": _NumpyType,
    "_codecs.encode": _Function(lambda text, encoding: text.encode("latin1")),
    **dict.fromkeys(("builtins.set", "__builtin__.set"), _Function(set)),
    **dict.fromkeys(
        ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"), _Function(_numpy_scalar)
    ),
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows nothing but `_GLOBALS`."""

    def find_class(self, module: str, name: str) -> Any:
        wanted = f"{module}.{name}"
        if wanted not in _GLOBALS:
            raise _RefusedError(
                f"names {wanted!r}, which a checkpoint of tensors does not need and which could "
                "run any code: refused, and nothing was executed. With torch, "
                "torch.save(model.state_dict(), path) writes nothing but tensors."
            )
        return _GLOBALS[wanted]

    def persistent_load(self, saved: Any) -> _Storage:
        match saved:
            case ("storage", str(kind), str(key), _, count) if kind in _STORAGES and _is_count(
                count
            ):
                return _Storage(_STORAGES[kind], key, count)
        raise _RefusedError("holds a storage of which kind, name or length are not known.")
