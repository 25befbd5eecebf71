"""Stage zero: image files, rows of shards or arrays become batches of images.

Texts and histories of items, which stay in memory as rows of integers, become batches of tokens.

What belongs to an image besides its pixels, a label, a mask or boxes, are its targets; the crop of
the image, drawn once, is done to them too.

    tables     sources              reading           geometry              pipeline
    files ────┐
    shards ───┤
    arrays ───┼→ order ──→ open an image ──→ draw and do a crop ──→ batch, count epochs, prefetch
    TFDS ─────┤
    function ─┘

A table reads encoded images by their numbers, whatever they are kept in; `packing` makes shards of
a folder.

Every source returns a `tf.data.Dataset` and shares everything after the first arrow. TensorFlow is
the data library under every Keras backend; it is imported when a source is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_simmim.data.geometry.center_crop import CenterCrop
    from keras_simmim.data.geometry.random_crop import RandomCrop
    from keras_simmim.data.geometry.whole_image import WholeImage
    from keras_simmim.data.packing.write_shards import write_shards
    from keras_simmim.data.pipeline.metered import metered
    from keras_simmim.data.pipeline.source_arguments import SourceArguments
    from keras_simmim.data.sources.arrays import from_arrays
    from keras_simmim.data.sources.coco import coco
    from keras_simmim.data.sources.few_labels import few_labels
    from keras_simmim.data.sources.file_arguments import FileArguments
    from keras_simmim.data.sources.folder import image_folder
    from keras_simmim.data.sources.generator import from_generator
    from keras_simmim.data.sources.histories import histories
    from keras_simmim.data.sources.huggingface import from_huggingface
    from keras_simmim.data.sources.leave_one_out import leave_one_out
    from keras_simmim.data.sources.parquet import from_parquet
    from keras_simmim.data.sources.pascal_voc import pascal_voc
    from keras_simmim.data.sources.segmentation_folder import segmentation_folder
    from keras_simmim.data.sources.texts import texts
    from keras_simmim.data.sources.tfds import from_tfds
    from keras_simmim.data.sources.webdataset import from_webdataset
    from keras_simmim.data.text.callable_tokenizer import CallableTokenizer
    from keras_simmim.data.text.tokenizer import Tokenizer
    from keras_simmim.data.text.train_tokenizer import train_tokenizer

__all__ = [
    "CallableTokenizer",
    "CenterCrop",
    "FileArguments",
    "RandomCrop",
    "SourceArguments",
    "Tokenizer",
    "WholeImage",
    "coco",
    "few_labels",
    "from_arrays",
    "from_generator",
    "from_huggingface",
    "from_parquet",
    "from_tfds",
    "from_webdataset",
    "histories",
    "image_folder",
    "leave_one_out",
    "metered",
    "pascal_voc",
    "segmentation_folder",
    "texts",
    "train_tokenizer",
    "write_shards",
]

_MODULES = {
    "CallableTokenizer": "text.callable_tokenizer",
    "CenterCrop": "geometry.center_crop",
    "FileArguments": "sources.file_arguments",
    "RandomCrop": "geometry.random_crop",
    "SourceArguments": "pipeline.source_arguments",
    "Tokenizer": "text.tokenizer",
    "WholeImage": "geometry.whole_image",
    "coco": "sources.coco",
    "few_labels": "sources.few_labels",
    "from_arrays": "sources.arrays",
    "from_generator": "sources.generator",
    "from_huggingface": "sources.huggingface",
    "from_parquet": "sources.parquet",
    "from_tfds": "sources.tfds",
    "from_webdataset": "sources.webdataset",
    "histories": "sources.histories",
    "image_folder": "sources.folder",
    "leave_one_out": "sources.leave_one_out",
    "metered": "pipeline.metered",
    "pascal_voc": "sources.pascal_voc",
    "segmentation_folder": "sources.segmentation_folder",
    "texts": "sources.texts",
    "train_tokenizer": "text.train_tokenizer",
    "write_shards": "packing.write_shards",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ImportError as error:
        if error.name != "tensorflow":
            raise
        raise ImportError(
            f"{__name__}.{name} needs TensorFlow to read data, whatever Keras computes on: "
            "pip install tensorflow. Without it, `fit` takes arrays, any keras.utils.PyDataset, "
            "Grain's data sets and torch's DataLoader: docs/other-readers.md.",
            name="tensorflow",
        ) from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
