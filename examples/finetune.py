"""Fine-tune a pretrained network on labeled images, few or all, and see what it is worth.

python examples/finetune.py --model runs/first --labels-per-class 50 --compare-scratch
python examples/finetune.py --model runs/first/model.keras --data path/to/class/folders
KERAS_BACKEND=jax python examples/finetune.py --model hf://microsoft/swin-base-simmim-window6-192 …

Leaves summary.json, classifier.keras, confusion.png and embeddings.png under --output.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from train import datasets

import keras_simmim as ks


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a run, a .keras file, or a preset")
    parser.add_argument("--data", default="elpv", help="elpv, class folders, or tfds:NAME")
    parser.add_argument("--labels-per-class", type=int, help="use only so many; default: all")
    parser.add_argument("--compare-scratch", action="store_true", help="also without pretraining")
    parser.add_argument("--frozen", action="store_true", help="train only the head")
    parser.add_argument("--output", type=Path, help="default: runs/finetune-<time>")
    parser.add_argument("--steps", type=int, default=400, help="about so many batches")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--limit", type=int, help="use only this many images of the data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    options = parser.parse_args()
    for name, least in (
        ("labels_per_class", 1),
        ("steps", 1),
        ("batch_size", 1),
        ("limit", 2),
        ("seed", 0),
    ):
        if getattr(options, name) is not None and getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    options.output = options.output or Path("runs") / time.strftime("finetune-%Y%m%d-%H%M%S")
    return options


def pretrained(name: str) -> ks.SimMIM:
    """Load the model of a run of examples/train.py, a file or a preset."""
    if name.endswith(".keras") and not Path(name).exists():
        sys.exit(f"--model {name}: there is no such file.")
    try:
        return ks.models.open_model(name)
    except (OSError, ValueError) as error:
        sys.exit(f"--model {name}: {error}")


def labeled(options: argparse.Namespace, image_shape: tuple[int, int, int]) -> tuple:
    """Read labeled images to learn from, as arrays, what is held out, and the classes' names."""
    if image_shape[0] != image_shape[1]:
        sys.exit(f"--model {options.model}: needs square images, got {image_shape}.")
    options.image_size = image_shape[0]
    try:
        _, reference, held_out, split = datasets(options, epoch=0)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"--data {options.data}: {str(error).strip().splitlines()[0]}")
    shape = reference.element_spec[0].shape[1:] if isinstance(reference.element_spec, tuple) else ()
    if not shape:
        sys.exit(f"--data {options.data}: has no labels; make a sub-folder for each class.")
    if tuple(shape) != tuple(image_shape):
        sys.exit(f"--data {options.data}: images are {tuple(shape)}, the model's {image_shape}.")
    if options.labels_per_class is None:
        batches = list(reference.as_numpy_iterator())
        images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    else:
        try:
            images, labels = ks.data.few_labels(reference, options.labels_per_class, options.seed)
        except ValueError as error:
            sys.exit(f"--labels-per-class: {error}")
    names = reference.class_names or [f"class {k}" for k in range(int(labels.max()) + 1)]
    if options.data == "elpv":
        names = ["mono", "poly"]
    if len(np.unique(labels)) < 2:
        sys.exit(f"--data {options.data}: needs at least two classes, got {names}.")
    print(split)
    return images, labels, held_out, names


def fine_tuned(
    source: ks.SimMIM | ks.backbones.Backbone,
    images: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    options: argparse.Namespace,
    **normalization,
) -> ks.ImageClassifier:
    """Train a classifier for its steps; batches are cropped and mirrored at random."""
    keras.utils.set_random_seed(options.seed)
    classifier = ks.ImageClassifier.from_pretrained(
        source,
        len(names),
        class_names=names,
        frozen=options.frozen,
        label_smoothing=0.1,
        seed=options.seed,
        **normalization,
    )
    # Few images many times over make one long epoch instead of many short ones.
    wanted = options.steps * options.batch_size
    repeats = max(1, wanted // (8 * len(images)))
    train = ks.data.from_arrays(
        np.tile(images, (repeats, 1, 1, 1)),
        np.tile(labels, repeats),
        batch_size=options.batch_size,
        crop=ks.data.RandomCrop(options.image_size, scale=(0.6, 1.0)),
        seed=options.seed,
    )
    steps = int(train.cardinality())
    epochs = max(1, round(options.steps / steps))
    warmup = {"warmup_target": 5e-4, "warmup_steps": epochs * steps // 10}
    rate = keras.optimizers.schedules.CosineDecay(0.0, epochs * steps, **warmup)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.05, global_clipnorm=5.0)
    classifier.compile(optimizer, jit_compile=keras.backend.backend() == "tensorflow" or "auto")
    classifier.fit(train, epochs=epochs, verbose=2)
    return classifier


def pictures(
    classifier: ks.ImageClassifier,
    held_out,
    labels: np.ndarray,
    predicted: np.ndarray,
    output: Path,
) -> None:
    """Draw the confusion matrix, and a map of the held-out images: UMAP if installed, else PCA."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot
    from sklearn.metrics import ConfusionMatrixDisplay

    try:
        import umap

        method = umap.UMAP
    except ImportError:
        from sklearn import decomposition

        method = decomposition.PCA

    names = classifier.class_names
    display = ConfusionMatrixDisplay.from_predictions(
        labels, predicted, labels=range(len(names)), display_labels=names, cmap="Blues"
    )
    display.figure_.savefig(output / "confusion.png", bbox_inches="tight")
    pooled = ks.evaluation.embed(classifier, held_out)
    places = method(n_components=2).fit_transform(pooled)
    figure, axes = pyplot.subplots()
    for label, name in enumerate(names):
        axes.scatter(*places[labels == label].T, s=8, label=name)
    axes.set(title=f"Embeddings of held-out images, {method.__name__}")
    axes.legend()
    figure.savefig(output / "embeddings.png", bbox_inches="tight")


def tell(what: str, found: dict) -> None:
    low, high = found["accuracy_interval"]
    print(f"{what}: {found['accuracy']:.3f} (95%: {low:.3f} to {high:.3f}).")
    print(f"Balanced accuracy: {found['balanced_accuracy']:.3f}.")


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    started = time.time()
    model = pretrained(options.model)
    backbone = model.backbone
    images, labels, held_out, names = labeled(options, backbone.image_shape)
    truth = np.concatenate([batch[1] for batch in held_out.as_numpy_iterator()])
    print(f"Backend: {keras.backend.backend()}. Classes: {', '.join(names)}.")
    print(f"{len(images)} labeled images to learn from, {len(truth)} held out.")

    classifier = fine_tuned(model, images, labels, names, options)
    predicted = classifier.predict(held_out, verbose=0).argmax(axis=1)
    found = ks.evaluation.classification_scores(predicted, truth)
    tell("Accuracy on held-out images", found)
    scratch: dict = {}
    if options.compare_scratch:
        keras.utils.set_random_seed(options.seed)
        untrained = type(backbone).from_config(backbone.get_config())
        normalization = {"mean": model.mean, "std": model.std}
        other = fine_tuned(untrained, images, labels, names, options, **normalization)
        predicted_too = other.predict(held_out, verbose=0).argmax(axis=1)
        scratch = ks.evaluation.classification_scores(predicted_too, truth)
        tell("From scratch", scratch)

    summary = {
        "backend": keras.backend.backend(),
        "model": options.model,
        "dataset": options.data,
        "classes": names,
        "labels": len(images),
        "held_out": len(truth),
        **found,
        "scratch_accuracy": scratch.get("accuracy"),
        "scratch_balanced_accuracy": scratch.get("balanced_accuracy"),
        "seconds": round(time.time() - started, 1),
        "seed": options.seed,
    }
    with ks.training.written_once(options.output) as folder:
        if folder is None:
            return
        classifier.save(folder / "classifier.keras")
        (folder / "summary.json").write_text(json.dumps(summary, indent=2))
        try:
            pictures(classifier, held_out, truth, predicted, folder)
        except ImportError as error:
            print(f"No pictures: {error}; pip install 'keras-simmim[examples]'.")
    print(f"Results are in {options.output}.")


if __name__ == "__main__":
    main()
