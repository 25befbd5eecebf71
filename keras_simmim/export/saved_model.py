"""A model of any backend as a version that TF Serving loads."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_simmim.data.arguments import as_flag, as_integer
from keras_simmim.data.geometry.center_crop import CenterCrop
from keras_simmim.data.geometry.whole_image import WholeImage
from keras_simmim.export.fresh_process import on_tensorflow
from keras_simmim.export.model_card import image_facts, token_facts, write_card
from keras_simmim.export.network import Values, as_backbone_model
from keras_simmim.export.versions import check_version, publish
from keras_simmim.models.backbone_model import BackboneModel

MAX_PIXELS = 2**25
# How many items a recommender names, if it knows so many.
ITEMS = 10
TOKENIZER = "assets.extra/tokenizer.json"


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
    k: int | None = None,
    jit_compile: bool = False,
) -> str:
    """Export a model as a SavedModel for TF Serving: JPEG bytes or tokens in, names or items out.

    The graph has standard TensorFlow operations only, nothing masked and nothing random. Weights
    that only train (reconstruction head, mask token, optimizer) stay behind. Signatures of images:

    - "serving_default": "image_bytes", string (B,), JPEG or PNG files, which are decoded, resized
      and normalized as `keras_simmim.data` does with `training=False`: of a segmenter or a
      detector the whole image, whatever its proportions, and else the largest central crop.
    - "images": "images", uint8 (B, H, W, C); of a model with a `value_range` float32, values as the
      files have them, which the graph scales by that range as it does those of PNGs of 16 bits.
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

    Models of sequences take "tokens", int32 (B, L) or (B, L, 1 + F), 0 for padding;
    "serving_default" and "embed" give the same as of images. No tokenizer is a part of the graph:
    the file of the model's own lies beside it, "assets.extra/tokenizer.json", for clients to read
    by `ks.data.Tokenizer.load`.

    A recommender takes "histories", int32 (B, l) or (B, l, 1 + F) of any l, oldest first, 0 for
    padding wherever it stands. Its default gives "items", int32 (B, k), those most likely to come
    next that are not in the history, and their "scores", float32 (B, k), before the softmax; 0 and
    −∞ where a history left fewer. "scores" gives "item_scores", float32 (B, V), a column for each
    item, those seen too; −∞ for padding.

    Args:
        model: a `SimMIM`, an `ImageClassifier`, an `ImageSegmenter`, an `ObjectDetector`, a
            `TextClassifier`, a `SequenceRecommender` or a `Backbone`. Under JAX and torch, a fresh
            process on TensorFlow exports it; layers of your own must then lie in a module.
        directory: the model's folder; its last part is the model's name.
        version: a positive integer, or None for the one after the highest.
        class_names: one for each class; the model's own if None, else "0", "1", ….
        mean: of the pixels per channel, in 0–255 units, for a bare `Backbone`; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        warmup_images: uint8 (N, height, width, C) of any size, or with a `value_range` any real
            numbers, for requests that the server
            answers to itself before it takes the version into service; needs the package
            tensorflow-serving-api. None for no such requests.
        card: for the README of the version: say at least "data", "seed" and "metrics".
        max_pixels: most pixels of an encoded image; a larger one is refused before it is decoded.
        k: number of items that a recommender names; 10 if None, or all that there are.
        jit_compile: whether XLA compiles the network of images where it runs, anew for each number
            of images in a request: a ViT-Tiny answered in 0.7 of the time. TF Serving does so
            only with --xla_cpu_compilation_enabled.

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
    exported = as_backbone_model(model, mean, std)
    backbone = exported.backbone
    check_version(directory, version)
    max_pixels = as_integer("max_pixels", max_pixels, minimum=1)
    jit_compile = as_flag("jit_compile", jit_compile)
    if jit_compile and backbone.takes_tokens:
        raise ValueError("jit_compile is for models of images, got True for one of tokens.")
    names = _class_names(exported, class_names)
    items = _items(exported, k)
    name = Path(directory).name
    facts = {
        "model": f"{type(model).__name__} on {type(backbone).__name__}",
        "parameters of the backbone": f"{backbone.count_params():,}",
    }
    tokenizer = exported.inputs_taken.tokenizer
    if backbone.takes_tokens:
        _check_of_images(warmup_images, max_pixels)
        if tokenizer is not None:
            # Whether it can be written at all is known before anything is computed.
            tokenizer.file_content()
        facts |= token_facts(exported, None if tokenizer is None else TOKENIZER, items)
    else:
        if warmup_images is not None:
            if exported.value_range is not None:
                warmup_images = np.asarray(warmup_images, np.float32)
            _check_warmup(
                warmup_images, backbone.image_shape[-1], exported.inputs_taken.served_dtype
            )
        facts |= image_facts(exported, max_pixels)
    if items is None:
        facts["classes"] = ", ".join(names) if names else "none, it gives embeddings"

    def write(path: Path) -> None:
        with exported.inputs_taken.without_tokenizer():
            on_tensorflow(
                write_version,
                exported,
                path,
                name=name,
                class_names=names,
                warmup_images=warmup_images,
                max_pixels=max_pixels,
                k=items,
                jit_compile=jit_compile,
            )
        if tokenizer is not None:
            (path / TOKENIZER).parent.mkdir()
            tokenizer.save(path / TOKENIZER)
        write_card(path, name, facts, card or {})

    return str(publish(directory, version, write))


def write_version(
    model: BackboneModel,
    path: Path,
    name: str,
    class_names: list[str] | None,
    max_pixels: int,
    k: int | None = None,
    warmup_images: np.ndarray | None = None,
    jit_compile: bool = False,
) -> None:
    """Write the files of a version, on the TensorFlow backend."""
    from keras_simmim.export.signatures import takes_bytes, write_signatures
    from keras_simmim.export.token_signatures import write_token_signatures
    from keras_simmim.export.warmup import write_warmup

    if model.backbone.takes_tokens:
        write_token_signatures(model, str(path), class_names, k)
        return
    height, width, channels = model.backbone.image_shape
    crop = (WholeImage if model.sees_whole else CenterCrop)((height, width))
    write_signatures(model, str(path), crop, class_names, max_pixels, jit_compile)
    if warmup_images is not None:
        write_warmup(path, name, warmup_images, model.signatures, takes_bytes(channels), crop)


def _items(model: BackboneModel, k: int | None) -> int | None:
    """Count the items to name; None where there are none."""
    count = model.num_items
    if count is None:
        if k is not None:
            raise ValueError(f"k={k!r} needs a recommender, got {type(model).__name__}.")
        return None
    if k is None:
        return min(ITEMS, count)
    if as_integer("k", k, minimum=1) > count:
        raise ValueError(f"k must be from 1 to {count}, the items there are, got {k}.")
    return k


def _check_of_images(warmup_images: Any, max_pixels: int) -> None:
    if warmup_images is not None:
        raise ValueError("warmup_images must be None for a model of tokens, which has no images.")
    if max_pixels != MAX_PIXELS:
        raise ValueError(
            f"max_pixels is for models of images; leave it out for one of tokens, got {max_pixels}."
        )


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


def _check_warmup(images: Any, channels: int, dtype: str) -> None:
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ImportError(
            "warmup_images needs the package tensorflow-serving-api: "
            "pip install 'keras-simmim[serving]'."
        )
    shape: tuple[int, ...] = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or 0 in shape or shape[-1] != channels or images.dtype != dtype:
        raise ValueError(
            f"warmup_images must be {dtype} (N, height, width, {channels}) with N at least 1, got "
            f"{getattr(images, 'dtype', type(images).__name__)} of shape {shape}."
        )
