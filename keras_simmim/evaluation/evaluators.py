"""Evaluators for reports and for `callbacks.Evaluate`: each yields (name, value) of a model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_simmim.evaluation.embed import block_of
from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.knn import knn_accuracy
from keras_simmim.evaluation.labeled import check_labeled
from keras_simmim.evaluation.linear_probe import linear_probe


class KNN:
    """Measure "knn_accuracy" of a model's embeddings, or "knn_accuracy_5" … for several k.

    Args:
        reference: (images, labels) whose neighbors vote, or a `tf.data.Dataset` of such batches.
        held_out: those to name, likewise.
        k: number of neighbors, or several.

    Raises:
        ValueError: for data without labels.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images, labels = np.random.randint(0, 256, (8, 16, 24, 3), "uint8"), np.arange(8) % 2
    evaluator = ks.evaluation.KNN((images, labels), (images, labels), k=1)
    dict(evaluator(model))["knn_accuracy"]   # 1.0
    ```
    """

    def __init__(self, reference: Any, held_out: Any, k: int | Sequence[int] = 20) -> None:
        check_labeled("reference", reference)
        check_labeled("held_out", held_out)
        self.reference, self.held_out = reference, held_out
        self.k = k

    def __call__(self, model: Any) -> Iterator[tuple[str, float]]:
        """Embed all images and yield the accuracy, under a name for each k."""
        (train,), train_labels = model.embed_labeled(self.reference)
        (test,), test_labels = model.embed_labeled(self.held_out)
        accuracy = knn_accuracy(train, train_labels, test, test_labels, k=self.k)
        if isinstance(accuracy, float):
            yield "knn_accuracy", accuracy
        else:
            yield from ((f"knn_accuracy_{k}", value) for k, value in accuracy.items())


class LinearProbe:
    """Measure "probe_accuracy" and "probe_balanced_accuracy" of a model's embeddings.

    Args:
        reference: (images, labels) to learn from, or a `tf.data.Dataset` of such batches.
        held_out: those to name, likewise.
        block: see `embed`.
        **options: of `linear_probe`.

    Raises:
        ValueError: for data without labels.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images, labels = np.random.randint(0, 256, (8, 16, 24, 3), "uint8"), np.arange(8) % 2
    evaluator = ks.evaluation.LinearProbe((images, labels), (images, labels))
    len(dict(evaluator(model)))   # 2
    ```
    """

    def __init__(
        self, reference: Any, held_out: Any, block: int | None = None, **options: Any
    ) -> None:
        check_labeled("reference", reference)
        check_labeled("held_out", held_out)
        self.reference, self.held_out = reference, held_out
        self.block = block
        self.options = options

    def __call__(self, model: Any) -> Iterator[tuple[str, float]]:
        """Embed all images, fit the probe and yield its accuracies."""
        all_blocks = self.block is not None
        train, train_labels = model.embed_labeled(self.reference, all_blocks)
        test, test_labels = model.embed_labeled(self.held_out, all_blocks)
        train, test = (block_of(blocks, self.block) for blocks in (train, test))
        probe = linear_probe(train, train_labels, test, test_labels, **self.options)
        yield "probe_accuracy", probe["accuracy"]
        yield "probe_balanced_accuracy", probe["balanced_accuracy"]


class EmbeddingStatistics:
    """Measure "embedding_std" and "embedding_rank" of some images.

    Args:
        images: array (N, H, W, C), N at least 2, or a dataset.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    evaluator = ks.evaluation.EmbeddingStatistics(images)
    dict(evaluator(model))["embedding_rank"] > 1   # True
    ```
    """

    def __init__(self, images: Any) -> None:
        self.images = images

    def __call__(self, model: Any) -> Iterator[tuple[str, float]]:
        """Embed the images and yield the statistics."""
        statistics = embedding_statistics(np.asarray(model.embed(self.images)))
        yield from ((name, float(value)) for name, value in statistics.items())
