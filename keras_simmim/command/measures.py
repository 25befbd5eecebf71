"""What `keras-simmim evaluate` measures, and how it says it."""

import argparse
from typing import Any

import numpy as np

from keras_simmim import evaluation
from keras_simmim.command.opened import class_folders, has_classes, plain_images
from keras_simmim.command.progress import shown

_NEIGHBORS = (1, 5, 20)


def measured(model: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what a model knows of the images of a folder, and say it.

    Args:
        model: of images.
        options: `data`, `held_out`, `seed` and `batch_size` of the subcommand.

    Returns:
        The figures by name.
    """
    if not has_classes(options.data, model):
        dataset = plain_images(options.data, model, options.batch_size, labels=None)
        print("The folder has no sub-folders with images, so there are no classes to name.")
        return _statistics(_embedded(model, dataset, options)[0])
    learned, held_out = class_folders(model, options)
    names = held_out.class_names
    (vectors, colors), labels = _embedded(model, held_out, options)
    print(f"{len(labels)} images of {len(names)} classes are held out.")
    found = {"held_out": len(labels), "classes": names, **_statistics(vectors)}
    if model.class_names == names:
        found["classifier"] = scores = _classified(model, held_out, labels)
        low, high = scores["accuracy_interval"]
        print(f"The model names {scores['accuracy']:.1%} of them (95%: {low:.1%} to {high:.1%}).")
    if learned is None:
        return found
    (train, train_colors), train_labels = _embedded(model, learned, options)
    found["images"] = len(train_labels)
    found["most_frequent"] = float(np.bincount(labels).max() / len(labels))
    print(f"{len(train_labels)} others to learn from. Share of the held-out ones named right:")
    print(_row("always the most frequent class", found["most_frequent"]))
    found["embeddings"] = _named("embeddings", train, train_labels, vectors, labels)
    found["colors"] = _named("colors alone", train_colors, train_labels, colors, labels)
    return found


def _embedded(model: Any, dataset: Any, options: argparse.Namespace) -> Any:
    """Embed images, and take what needs no network: mean and deviation of each channel."""
    is_labeled = isinstance(dataset.element_spec, tuple)

    def both(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = images.astype("float32")
        colors = np.concatenate([pixels.mean((1, 2)), pixels.std((1, 2))], axis=1)
        return model.embed(images, options.batch_size), colors

    return shown(dataset, both, labels=is_labeled)


def _statistics(vectors: np.ndarray) -> dict[str, float]:
    if len(vectors) < 2:
        return {}
    found = evaluation.embedding_statistics(vectors)
    rank, deviation = (float(found[f"embedding_{name}"]) for name in ("rank", "std"))
    print(
        f"Embeddings of {len(vectors)} images: effective rank {rank:.1f} of at most "
        f"{min(len(vectors) - 1, vectors.shape[1])} (1 would be a collapse), deviation "
        f"{deviation:.3g}."
    )
    return {"embedding_rank": rank, "embedding_std": deviation}


def _classified(model: Any, dataset: Any, labels: np.ndarray) -> dict[str, Any]:
    predicted = shown(dataset, lambda images: model.predict(images, verbose=0).argmax(1))
    return evaluation.classification_scores(predicted, labels)


def _row(name: str, share: float) -> str:
    return f"  {name:<36}{share:.1%}"


def _named(
    what: str,
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
) -> dict[str, Any]:
    """Let neighbors and a linear probe name the test images, and say how often they are right."""
    wanted = tuple(k for k in _NEIGHBORS if k <= len(train))
    knn: Any = evaluation.knn_accuracy(train, train_labels, test, test_labels, k=wanted)
    for k, share in knn.items():
        print(_row(f"{what}, by the {k} nearest", share))
    try:
        probe = evaluation.linear_probe(train, train_labels, test, test_labels)
    except (ImportError, ValueError) as error:
        print(f"  {what}, linear probe: none, {error}")
        return {"knn": knn}
    print(_row(f"{what}, linear probe", probe["accuracy"]))
    return {"knn": knn, "probe": probe}
