"""What a data set of `ks.data` says of itself, found behind what a user or Keras made of it."""

from typing import Any

# A `tf.data.Dataset` of these has as many batches as the one that it was made of.
_SAME_NUMBER = (
    "_MapDataset",
    "_ParallelMapDataset",
    "_OptionsDataset",
    "_PrefetchDataset",
    "_ShuffleDataset",
    "_ZipDataset",
)


def origin(dataset: Any, name: str) -> Any:
    """Find an attribute of a data set, or of one that it was made of.

    `map`, `shuffle`, `prefetch` and the like, and Keras' own `class_weight`, give a new
    `tf.data.Dataset`, which has none of the attributes of the old one.

    Args:
        dataset: anything.
        name: of the attribute, such as "class_names".

    Returns:
        What stands under that name; None if there is none.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks
    from keras_simmim.data.pipeline.origin import origin

    dataset = ks.data.from_arrays(np.zeros((8, 9, 9, 3), "uint8"), batch_size=4)
    origin(dataset.map(lambda images: images).prefetch(1), "image_count")   # 8
    ```
    """
    found = _search(dataset, name)
    return None if found is None else found[0]


def has_all_batches(dataset: Any, name: str) -> bool:
    """Tell whether nothing between a data set and that which has an attribute leaves batches out.

    Args:
        dataset: made of one that has the attribute.
        name: of the attribute.
    """
    found = _search(dataset, name)
    return found is not None and all(type(each).__name__ in _SAME_NUMBER for each in found[1])


def _search(dataset: Any, name: str) -> tuple[Any, list[Any]] | None:
    """Return an attribute, and the data sets that stand before the one that has it."""
    value = getattr(dataset, name, None)
    if value is not None:
        return value, []
    # The one method by which TensorFlow's data sets tell what they were made of.
    for source in getattr(dataset, "_inputs", list)():
        found = _search(source, name)
        if found is not None:
            return found[0], [dataset, *found[1]]
    return None
