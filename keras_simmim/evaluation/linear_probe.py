"""Linear probe: logistic regression on standardized embeddings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_simmim.evaluation.labeled import check_labeled, checked_pair


def linear_probe(
    train_embeddings: ArrayLike,
    train_labels: ArrayLike,
    test_embeddings: ArrayLike,
    test_labels: ArrayLike,
    regularizations: Sequence[float] = (0.001, 0.01, 0.1, 1.0),
    validation_share: float = 0.2,
    seed: int = 0,
) -> dict[str, float]:
    """Measure the accuracy of a logistic regression on embeddings.

    Features are standardized by the train images' mean and deviation. The regularization that is
    best on a part of the train images, of which each class gives its share, is taken for all of
    them. Classes count alike, however many images they have.

    Args:
        train_embeddings: (N, D) float array.
        train_labels: (N,) integers, at least 0, at least two of each class.
        test_embeddings: (M, D) float array.
        test_labels: (M,) integers, at least 0.
        regularizations: scikit-learn's C to choose from, smaller for more.
        validation_share: part of the train images that chooses, between 0 and 1.
        seed: of that part's draw.

    Returns:
        "accuracy" and "balanced_accuracy" (the mean over classes) on the test images,
        "validation_accuracy", balanced as well, and "regularization".

    Raises:
        ImportError: without scikit-learn.
        ValueError: for shapes that do not fit, embeddings that are not finite, missing labels,
            fewer than two classes or than two images of one.

    Example:
    ```python
    import keras_simmim as ks

    corners, labels = [[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.1]], [0, 0, 1, 1]
    probe = ks.evaluation.linear_probe(corners, labels, corners, labels, validation_share=0.5)
    probe["accuracy"]   # 1.0
    ```
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.model_selection import train_test_split
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError(
            "linear_probe needs scikit-learn: pip install 'keras-simmim[evaluation]'"
        ) from error
    train, train_classes, test, test_classes = checked_pair(
        train_embeddings, train_labels, test_embeddings, test_labels
    )
    classes, counts = np.unique(train_classes, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            "train_labels must have at least two images of each class, got one of class "
            f"{classes[counts.argmin()]}."
        )
    if not regularizations or min(regularizations) <= 0:
        raise ValueError(f"regularizations must be numbers above 0, got {regularizations!r}.")
    if not 0 < validation_share < 1:
        raise ValueError(f"validation_share must be above 0 and below 1, got {validation_share!r}.")
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    # Each class must be on both sides.
    held = min(max(round(validation_share * len(train)), len(classes)), len(train) - len(classes))
    parts = train_test_split(
        train, train_classes, test_size=held, stratify=train_classes, random_state=seed
    )

    def fitted(features: np.ndarray, labels: np.ndarray, regularization: float) -> Any:
        options = {"max_iter": 5000, "class_weight": "balanced", "tol": 1e-3}
        return LogisticRegression(C=regularization, **options).fit(features, labels)

    validation = {
        value: float(
            balanced_accuracy_score(parts[3], fitted(parts[0], parts[2], value).predict(parts[1]))
        )
        for value in regularizations
    }
    best = max(validation, key=lambda value: validation[value])
    predicted = fitted(train, train_classes, best).predict(test)
    by_class = [
        float(np.mean(predicted[test_classes == label] == label))
        for label in np.unique(test_classes)
    ]
    return {
        "accuracy": float(np.mean(predicted == test_classes)),
        "balanced_accuracy": float(np.mean(by_class)),
        "validation_accuracy": validation[best],
        "regularization": float(best),
    }


def linear_probe_blocks(
    model: Any, train: Any, test: Any, **options: Any
) -> list[dict[str, float]]:
    """Probe each block's output, to see which one knows most.

    Choose a block by its "validation_accuracy", which has not seen the test images.

    Args:
        model: a `SimMIM` or `ImageClassifier` on a ViT or Swin.
        train: (images, labels), or a `tf.data.Dataset` of such batches.
        test: likewise.
        **options: of `linear_probe`.

    Returns:
        For each block, first to last, what `linear_probe` returns.

    Raises:
        NotImplementedError: for a backbone that does not consist of blocks.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images, labels = np.random.randint(0, 256, (8, 16, 24, 3), "uint8"), np.arange(8) % 2
    probes = ks.evaluation.linear_probe_blocks(model, (images, labels), (images, labels))
    max(range(len(probes)), key=lambda block: probes[block]["validation_accuracy"])   # 0
    ```
    """
    check_labeled("train", train)
    check_labeled("test", test)
    train_parts, train_labels = model.embed_labeled(train, all_blocks=True)
    test_parts, test_labels = model.embed_labeled(test, all_blocks=True)
    return [
        linear_probe(train_part, train_labels, test_part, test_labels, **options)
        for train_part, test_part in zip(train_parts, test_parts, strict=True)
    ]
