"""keras-simmim doctor: what is installed, what it computes on, and what is missing."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from typing import Any

import keras_simmim
from keras_simmim.command import arguments, start
from keras_simmim.command.command_error import CommandError

_PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu", "jax", "torch")
# What an extra of pyproject.toml is for, and the modules that it brings.
EXTRAS = {
    "jax": (("jax",), "to train on JAX"),
    "torch": (("torch",), "to train on torch"),
    "evaluation": (("sklearn",), "linear probes"),
    "detection": (("pycocotools",), "the mAP of boxes"),
    "heic": (("pillow_heif",), "photographs of the ending .heic"),
    "tiff": (("tifffile", "imagecodecs"), "TIFF"),
    "dicom": (("pydicom",), "DICOM"),
    "parquet": (("pyarrow",), "embeddings as .parquet, images in .parquet"),
    "onnx": (("onnx", "onnxruntime", "tf2onnx"), "export --format onnx"),
    "serving": (("tensorflow_serving",), "warm-up requests for TF Serving"),
    "hub": (("huggingface_hub", "safetensors"), "weights of the Hugging Face hub"),
    "datasets": (("tensorflow_datasets",), "--data tfds:NAME"),
    "text": (("tokenizers",), "texts"),
    "cv": (("keras_cv",), "networks of KerasCV"),
}


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "doctor",
        run,
        "say what is installed, used and missing",
        "It also says which command installs what is missing.",
        ["doctor", "doctor --backend jax"],
    )
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Look around."""
    _say("keras-simmim", keras_simmim.__version__)
    _say("python", f"{platform.python_version()}, {sys.executable}")
    _say("system", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    for name in _PACKAGES:
        try:
            _say(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    start.load(options.backend, debug=options.debug)
    import keras

    if start.devices() == "CPU" and shutil.which("nvidia-smi"):
        backend = keras.backend.backend()
        print(
            f"There is an NVIDIA GPU, but {backend} does not use it: install a build of it for "
            "CUDA" + (": pip install 'keras-simmim[cuda]'." if backend == "tensorflow" else ".")
        )
    missing = {
        extra: purpose
        for extra, (modules, purpose) in EXTRAS.items()
        if not all(map(start.is_installed, modules))
    }
    for extra, purpose in missing.items():
        _say("not installed", f"{purpose}: pip install 'keras-simmim[{extra}]'")
    if not start.is_installed("tensorflow"):
        raise CommandError("TensorFlow is missing, which reads images: pip install tensorflow")
    print("All is well." if not missing else "All that is needed is there; the rest is optional.")


def _say(name: str, value: str) -> None:
    print(f"{name + ':':<15}{value}")
