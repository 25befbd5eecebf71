"""Export of trained models for other programs: TF Serving, the C API, ONNX runtimes.

    model of any backend → its network, on TensorFlow → JPEG bytes in, names out → NAME/<version>/
                                                      → tokens in, names or items out

Every export goes through the TensorFlow backend, under JAX or torch in a fresh process, so that the
graph has standard TensorFlow operations only. TensorFlow is imported when an export is first asked
for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_simmim.export.onnx import export_onnx
    from keras_simmim.export.saved_model import export_saved_model
    from keras_simmim.export.served_model import ServedModel

__all__ = ["ServedModel", "export_onnx", "export_saved_model"]

_MODULES = {
    "ServedModel": "served_model",
    "export_onnx": "onnx",
    "export_saved_model": "saved_model",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
