"""Texts as a source."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.rows import batched_rows
from keras_simmim.data.text.as_tokenizer import as_tokenizer
from keras_simmim.data.text.padded import padded
from keras_simmim.data.text.read_texts import read_texts


def texts(
    texts: Iterable[str] | str | os.PathLike[str],
    tokenizer: Any,
    labels: str | Sequence[int] | np.ndarray | None = "auto",
    length: int = 128,
    batch_size: int = 64,
    *,
    column: str | None = None,
    label_column: str | None = None,
    class_names: Sequence[str] | None = None,
    training: bool = True,
    seed: int = 0,
    epoch: int = 0,
    first_batch: int = 0,
    drop_remainder: bool | None = None,
    shard: int | None = None,
    shards: int | None = None,
) -> tf.data.Dataset:
    """Batch texts as rows of token ids.

    All texts are turned into ids at once, which then stay in memory: 4 · `length` bytes each. A
    text of more than `length` tokens is cut off behind them, an empty one is a row of padding.

    Of TensorFlow Datasets, give the texts and labels of its examples:
    `examples = list(tfds.as_numpy(tfds.load("imdb_reviews", split="train")))`, then
    `texts([each["text"] for each in examples], tokenizer, [each["label"] for each in examples])`.

    Args:
        texts: strings in any iterable (or bytes in UTF-8); or the path of a CSV file in UTF-8 with
            a line of names, or of a folder of .txt files, one a text, in the order of their paths.
            A file whose name ends in .tsv has tabs instead of commas.
        tokenizer: a `ks.data.Tokenizer`, such as `ks.data.train_tokenizer` returns, or a function
            from a text to a list of ids, each at least 1.
        labels: one integer a text, −1 for one without a label; None for no labels; `"auto"` takes
            the sub-folders of a folder, sorted by name, if all files lie in sub-folders.
        length: ids of each row, L.
        batch_size: texts in a batch, over all shards.
        column: name of the CSV file's column with the texts.
        label_column: name of that with the labels, if there are any: whole numbers, or names of
            classes; an empty one is a text without a label.
        class_names: names of the sub-folders, or in the `label_column`, in the order of their
            labels, such as another data set's `class_names`; None: those that occur, sorted. For
            labels that are numbers already, their names.
        training: True for a new order in every epoch, False for the given one.
        seed: of the order.
        epoch: number of the first iteration over the data set; each further one is the next epoch.
        first_batch: with which batch of its epoch the first iteration begins, to go on where an
            interrupted run stopped.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only one.
        shard: which of `shards` contiguous slices of each batch is given, from 0, where several
            processes share the work; both None: in training that of this process among those which
            train together, otherwise the whole, as `ks.data.SourceArguments` says.
        shards: how many slices a batch is cut into, a divisor of `batch_size`.

    Returns:
        A `tf.data.Dataset` of int32 batches (batch, L), 0 being padding, or of pairs of these and
        int32 labels (batch,). It has the attributes `tokenizer`, `class_names` (list or None),
        `example_count`, `truncated`, the number of texts that were cut off, `file_paths` (of a
        folder, otherwise None), and `shard_index` and `shards`.

    Raises:
        FileNotFoundError: if there is nothing at a path.
        ValueError: for what is no text or no label, a column that is not there, a folder without
            texts, an argument out of bounds, or arguments that contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    import keras_simmim as ks

    def letters(text):
        return [ord(letter) for letter in text]

    dataset = ks.data.texts(["so", "bad"], letters, labels=[1, 0], length=2, training=False)
    ids, labels = next(iter(dataset))
    ids.numpy().tolist(), dataset.truncated   # ([[115, 111], [98, 97]], 1)
    ```
    """
    length = arguments.as_integer("length", length, minimum=1)
    used = as_tokenizer(tokenizer)
    if used is None:
        raise ValueError(
            "tokenizer must be given, got None: ks.data.train_tokenizer(texts) makes one."
        )
    found = read_texts(
        texts, labels=labels, column=column, label_column=label_column, class_names=class_names
    )
    ids = used.encode(found.texts)
    dataset = batched_rows(
        padded(ids, length),
        found.labels,
        batch_size,
        training=training,
        seed=seed,
        epoch=epoch,
        first_batch=first_batch,
        drop_remainder=drop_remainder,
        shard=shard,
        shards=shards,
        examples="texts",
    )
    dataset.tokenizer = used
    dataset.class_names = found.class_names
    dataset.truncated = sum(len(own) > length for own in ids)
    dataset.file_paths = found.file_paths
    return dataset
