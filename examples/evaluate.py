"""What did a pretrained network learn? The full report on labeled images, nothing fine-tuned.

python examples/evaluate.py --model runs/first                     # on photographs of solar cells
python examples/evaluate.py --model runs/first --data path/to/class/folders
python examples/evaluate.py --model hf://microsoft/swin-base-simmim-window6-192 --data tfds:cifar10

Prints kNN, a linear probe of every block, statistics, and what the colors alone tell; leaves
report.json and neighbors.png under --output.
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
from finetune import pretrained
from train import datasets

import keras_simmim as ks

NEIGHBORS = (1, 5, 20)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a run, a .keras file, or a preset")
    parser.add_argument("--data", default="elpv", help="elpv, class folders, or tfds:NAME")
    parser.add_argument("--output", type=Path, help="default: runs/evaluate-<time>")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--limit", type=int, help="use only this many images")
    parser.add_argument("--seed", type=int, default=0, help="of the split of a folder")
    options = parser.parse_args()
    for name, least in (("batch_size", 1), ("limit", 4), ("seed", 0)):
        if getattr(options, name) is not None and getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    options.output = options.output or Path("runs") / time.strftime("evaluate-%Y%m%d-%H%M%S")
    return options


def arrays(dataset) -> tuple[np.ndarray, np.ndarray]:
    parts = zip(*dataset.as_numpy_iterator(), strict=True)
    images, labels = (np.concatenate(part) for part in parts)
    return images, labels


def colors(images: np.ndarray) -> np.ndarray:
    """Return the mean and standard deviation of each channel: what needs no network."""
    return np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1)


def row(name: str, knn: dict[int, float], probe: dict[str, float]) -> str:
    shares = [knn[k] for k in knn]
    shares += [probe[key] for key in ("accuracy", "balanced_accuracy", "validation_accuracy")]
    return f"{name:>12}" + "".join(f"{share:>12.3f}" for share in shares)


def main() -> None:
    options = arguments()
    model = pretrained(options.model)
    height, width, channels = model.backbone.image_shape
    if height != width:
        sys.exit(f"--model {options.model}: needs square images, got {height} by {width}.")
    options.image_size = height
    try:
        _, reference, held_out, split = datasets(options, epoch=0)
        if not isinstance(reference.element_spec, tuple):
            raise ValueError("has no labels; make a sub-folder for each class.")
        (images, labels), (test_images, test_labels) = arrays(reference), arrays(held_out)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"--data {options.data}: {str(error).strip().splitlines()[0]}")
    if images.shape[-1] != channels:
        sys.exit(f"--data {options.data}: has {images.shape[-1]} channels, the model {channels}.")
    print(f"Backend: {keras.backend.backend()}. {split}")
    print(f"{len(images)} images to learn from, {len(test_images)} held out.")

    wanted = tuple(k for k in NEIGHBORS if k <= len(images))
    try:
        trains, tests = model.embed_blocks(images), model.embed_blocks(test_images)
        names = [f"block {index}" for index in range(len(trains))]
    except NotImplementedError:
        trains, tests, names = [], [], []
    trains, tests = [*trains, model.embed(images)], [*tests, model.embed(test_images)]
    trains, tests = [*trains, colors(images)], [*tests, colors(test_images)]
    names += ["features", "colors"]
    heads = [f"{k}-NN" for k in wanted] + ["probe", "balanced", "validation"]
    print(" " * 12 + "".join(f"{head:>12}" for head in heads))
    report: dict[str, dict] = {}
    for name, train, test in zip(names, trains, tests, strict=True):
        try:
            knn = ks.evaluation.knn_accuracy(train, labels, test, test_labels, k=wanted)
            probe = ks.evaluation.linear_probe(train, labels, test, test_labels)
        except (ImportError, ValueError) as error:
            sys.exit(f"--data {options.data}: {error}")
        report[name] = {"knn": knn, **probe}
        print(row(name, knn, probe), flush=True)
    best = max(names[:-1], key=lambda name: report[name]["validation_accuracy"])
    statistics = dict(ks.evaluation.EmbeddingStatistics(test_images)(model))
    print(f"Best by validation: {best}, {report[best]['balanced_accuracy']:.3f} balanced.")
    print(", ".join(f"{name} {value:.2f}" for name, value in statistics.items()))

    options.output.mkdir(parents=True, exist_ok=True)
    queries = np.linspace(0, len(test_images) - 1, min(10, len(test_images))).astype(int)
    sheet = ks.evaluation.neighbor_sheet(
        test_images[queries].astype("uint8"),
        tests[-2][queries],
        images.astype("uint8"),
        trains[-2],
        neighbors=min(8, len(images)),
    )
    keras.utils.save_img(options.output / "neighbors.png", sheet, scale=False)
    summary = {
        "backend": keras.backend.backend(),
        "model": options.model,
        "dataset": options.data,
        "images": len(images),
        "held_out": len(test_images),
        "best": best,
        **statistics,
        "representations": report,
    }
    (options.output / "report.json").write_text(json.dumps(summary, indent=2))
    print(f"Report and neighbors are in {options.output}.")


if __name__ == "__main__":
    main()
