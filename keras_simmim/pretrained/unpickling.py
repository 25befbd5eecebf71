"""Reading of the pickle within torch's .pth files, without running anything that it names."""

import io
import pickle
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class RefusedError(Exception):
    """Say why a file is not read, without its path."""


class Storage(NamedTuple):
    """Name the bytes in the archive that tensors are views of."""

    dtype: str
    key: str
    elements: int


class StoredTensor(NamedTuple):
    """Describe a view of a storage that is not read yet; offset and strides count elements."""

    storage: Storage
    dtype: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def unpickle(content: bytes) -> Any:
    """Return what is pickled, with a `StoredTensor` for every tensor.

    Raises:
        RefusedError: for a damaged pickle, or one that names what tensors do not need.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="utf-8").load()
    except RefusedError:
        raise
    except Exception as error:
        raise RefusedError(f"holds a damaged 'data.pkl' ({type(error).__name__}).") from error


def item_bytes(dtype: str) -> int:
    """Return the length of an element, in bytes."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


class _Mapping(dict):
    """Replace mappings such as CfgNode and OrderedDict, without their attributes."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class _Namespace(_Mapping):
    """Replace objects that hold nothing but attributes."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        self.update(state)


class _NumpyType:
    """Replace numpy.dtype."""

    def __init__(self, code: str, align: Any = None, copy: Any = None) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.code = state[1] + self.code


class _Function:
    """Wrap a function, so that a pickle can call it but not change it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise RefusedError("changes a function while it is read: refused.")


def _numpy_scalar(dtype: _NumpyType, content: bytes) -> Any:
    if not re.fullmatch(r"[<>]?[biufc]\d{1,2}", dtype.code):
        raise RefusedError(f"holds a numpy scalar of the type {dtype.code!r}.")
    return np.frombuffer(content, np.dtype(dtype.code), count=1)[0].item()


def _tensor_of_typed_storage(
    storage: Storage, offset: int, size: Any, stride: Any, *others: Any
) -> StoredTensor:
    # The others are requires_grad, the hooks, and flags such as "conjugated" if there are any.
    if any(others[2:]):
        raise RefusedError("holds a tensor with flags that are not known, perhaps conjugated.")
    return _tensor(storage, storage.dtype, offset, size, stride)


def _tensor_of_bytes(
    storage: Storage, offset: int, size: Any, stride: Any, *others: Any
) -> StoredTensor:
    # As above, with the dtype behind the hooks.
    if any(others[3:]) or others[2] not in _DTYPES:
        raise RefusedError("holds a tensor of a type that is not known.")
    return _tensor(storage, _DTYPES[others[2]], offset, size, stride)


def _tensor(storage: Storage, dtype: str, offset: int, size: Any, stride: Any) -> StoredTensor:
    """Return the tensor if it lies within its storage."""
    tensor = StoredTensor(storage, dtype, offset, tuple(size), tuple(stride))
    numbers = (tensor.offset, *tensor.size, *tensor.stride)
    if not isinstance(storage, Storage) or not all(map(_is_count, numbers)):
        raise RefusedError("holds a tensor with sizes that are no counts.")
    if len(tensor.size) != len(tensor.stride) or len(tensor.size) > 32:
        raise RefusedError(
            f"holds a tensor with {len(tensor.size)} sizes and {len(stride)} strides."
        )
    last = offset + sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride, strict=True))
    available = storage.elements * item_bytes(storage.dtype) // item_bytes(dtype)
    if 0 not in tensor.size and last >= available:
        raise RefusedError(
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
    """Unpickle with no other names than those of `_GLOBALS`."""

    def find_class(self, module: str, name: str) -> Any:
        wanted = f"{module}.{name}"
        if wanted not in _GLOBALS:
            raise RefusedError(
                f"names {wanted!r}, which a checkpoint of tensors does not need and which could "
                "run any code: refused, and nothing was executed. With torch, "
                "torch.save(model.state_dict(), path) writes nothing but tensors."
            )
        return _GLOBALS[wanted]

    def persistent_load(self, saved: Any) -> Storage:
        match saved:
            case ("storage", str(kind), str(key), _, count) if kind in _STORAGES and _is_count(
                count
            ):
                return Storage(_STORAGES[kind], key, count)
        raise RefusedError("holds a storage of which kind, name or length are not known.")
