"""A model of any backend as a version that TF Serving loads."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_simmim.data.arguments import as_integer
from keras_simmim.data.geometry.center_crop import CenterCrop
from keras_simmim.data.geometry.whole_image import WholeImage
from keras_simmim.export.fresh_process import on_tensorflow
from keras_simmim.export.model_card import write_card
from keras_simmim.export.network import Values, as_image_model
from keras_simmim.export.versions import check_version, publish
from keras_simmim.models.backbone_model import BackboneModel

MAX_PIXELS = 2**25


def export_saved_model(
    model: keras.Model,
    directory: str | os.PathLike[str],
    version: int | None = None,
    *,
    class_names: Sequence[str] | None = None,
    mean: Values = None,
    std: Values = None,
    warmup_images: np.ndarray | None = None,
    card: Mapping[str, Any] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> str:
    """Export a model as a SavedModel for TF Serving, with JPEG bytes in and names out.

    The graph has standard TensorFlow operations only, nothing masked and nothing random. Weights
    that only train (reconstruction head, mask token, optimizer) stay behind. Signatures:

    - "serving_default": "image_bytes", string (B,), JPEG or PNG files, which are decoded, resized
      and normalized as `keras_simmim.data` does with `training=False`: of a segmenter or a
      detector the whole image, whatever its proportions, and else the largest central crop.
    - "images": "images", uint8 (B, H, W, C).
    - "embed": as "serving_default".

    The first two give "probabilities", float32 (B, K), and "classes", strings (B, K), the names of
    their columns; without a classifier "embedding", float32 (B, D), as "embed" always does. Where
    images have neither one nor three channels, nothing can be decoded, and all take "images".

    A segmenter's default are "class_map_bytes", strings (B,), gray PNG files of the class of every
    pixel, of the model's size, and "classes" as above; "images", and one more signature of files,
    "probabilities", give "probabilities", float32 (B, H, W, K).

    A detector gives "boxes", float32 (B, K, 4), (left, top, right, bottom) in pixels of the image
    that was sent, "scores", float32 (B, K), "labels", int32 (B, K), of which −1 pads, their
    "names", strings (B, K), and "size", int32 (B, 2), height and width of the image that was sent,
    turned as its EXIF says.

    Args:
        model: a `SimMIM`, an `ImageClassifier`, an `ImageSegmenter`, an `ObjectDetector` or a
            `Backbone`. Under JAX and torch, a fresh process on TensorFlow exports it; layers of
            your own must then lie in a module.
        directory: the model's folder; its last part is the model's name.
        version: a positive integer, or None for the one after the highest.
        class_names: one for each class; the model's own if None, else "0", "1", ….
        mean: of the pixels per channel, in 0–255 units, for a bare `Backbone`; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        warmup_images: uint8 (N, height, width, C) of any size, for requests that the server
            answers to itself before it takes the version into service; needs the package
            tensorflow-serving-api. None for no such requests.
        card: for the README of the version: say at least "data", "seed" and "metrics".
        max_pixels: most pixels of an encoded image; a larger one is refused before it is decoded.

    Returns:
        The version's folder, `directory/<version>`. It appears when it is complete.

    Raises:
        FileExistsError: for a version that exists.
        ImportError: for warm-up images without tensorflow-serving-api.
        ValueError: for another model, or arguments that do not fit it.
        TypeError: for an argument of another type.
        RuntimeError: if the fresh process failed.

    Source: the layout and the warm-up file are those that TF Serving documents.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    backbone = ks.backbones.ConvNet((16, 24, 3), (8,), strides=4)
    folder = ks.export.export_saved_model(backbone, "models/cells", card={"data": "noise"})
    images = np.zeros((2, 16, 24, 3), "uint8")
    ks.export.ServedModel(folder).predict(images=images)["embedding"].shape   # (2, 8)
    ```
    """
    image_model = as_image_model(model, mean, std)
    backbone = image_model.backbone
    check_version(directory, version)
    max_pixels = as_integer("max_pixels", max_pixels, minimum=1)
    names = _class_names(image_model, class_names)
    if warmup_images is not None:
        _check_warmup(warmup_images, backbone.image_shape[-1])
    name = Path(directory).name
    seen = "the whole image, squeezed" if image_model.sees_whole else "the largest central crop"
    facts = {
        "model": f"{type(model).__name__} on {type(backbone).__name__}",
        "parameters of the backbone": f"{backbone.count_params():,}",
        "image shape": f"{backbone.image_shape}: {seen}, resized",
        "mean": image_model.mean,
        "std": image_model.std,
        "largest encoded image": f"{max_pixels:,} pixels",
        "classes": ", ".join(names) if names else "none, it gives embeddings",
    }

    def write(path: Path) -> None:
        on_tensorflow(
            write_version,
            image_model,
            path,
            name=name,
            class_names=names,
            warmup_images=warmup_images,
            max_pixels=max_pixels,
        )
        write_card(path, name, facts, card or {})

    return str(publish(directory, version, write))


def write_version(
    model: BackboneModel,
    path: Path,
    name: str,
    class_names: list[str] | None,
    max_pixels: int,
    warmup_images: np.ndarray | None = None,
) -> None:
    """Write the files of a version, on the TensorFlow backend."""
    from keras_simmim.export.signatures import takes_bytes, write_signatures
    from keras_simmim.export.warmup import write_warmup

    height, width, channels = model.backbone.image_shape
    crop = (WholeImage if model.sees_whole else CenterCrop)((height, width))
    write_signatures(model, str(path), crop, class_names, max_pixels)
    if warmup_images is not None:
        write_warmup(path, name, warmup_images, model.signatures, takes_bytes(channels), crop)


def _class_names(model: BackboneModel, given: Sequence[str] | None) -> list[str] | None:
    """Name the classes; None where there are none."""
    count = model.num_classes
    if count is None:
        if given is not None:
            raise ValueError(f"class_names={list(given)} needs a model with a classifier.")
        return None
    names = model.class_names if given is None else list(given)
    if names is None:
        return [str(label) for label in range(count)]
    if len(names) != count or not all(isinstance(name, str) for name in names):
        raise ValueError(f"class_names must be {count} strings, one for each class, got {names}.")
    return names


def _check_warmup(images: Any, channels: int) -> None:
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ImportError(
            "warmup_images needs the package tensorflow-serving-api: "
            "pip install 'keras-simmim[serving]'."
        )
    shape: tuple[int, ...] = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or 0 in shape or shape[-1] != channels or images.dtype != np.uint8:
        raise ValueError(
            f"warmup_images must be uint8 (N, height, width, {channels}) with N at least 1, got "
            f"{getattr(images, 'dtype', type(images).__name__)} of shape {shape}."
        )
