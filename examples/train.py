"""Pretrain on images without labels, see what was learned, keep everything.

python examples/train.py                              # photographs of solar cells
python examples/train.py --data path/to/images        # your own, labeled by sub-folder or not
python examples/train.py --data 'shards/*.tar'        # or in tar shards, or parquet files
python examples/train.py --data tfds:cifar10          # any image data set of TFDS
KERAS_BACKEND=jax python examples/train.py            # the same job on another backend
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import keras_simmim as ks

HELD_OUT = 0.2  # share of the images that are never trained on
# What a run that is continued must have in common with its beginning.
SETTINGS = (
    "data",
    "batch_size",
    "image_size",
    "limit",
    "seed",
    "reconstruct",
    "mixed_precision",
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pretrain SimMIM on images without labels.")
    parser.add_argument(
        "--data", default="elpv", help="elpv, a folder, tars, parquet files, or tfds:NAME"
    )
    parser.add_argument("--output", type=Path, help="default: runs/<time>")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=64, help="pixels")
    parser.add_argument("--limit", type=int, help="use only this many images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reconstruct", action="store_true", help="learn to fill in, too")
    parser.add_argument("--mixed-precision", action="store_true", help="compute in bfloat16")
    parser.add_argument("--resume", action="store_true", help="continue what --output holds")
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    parser.add_argument("--save-every", type=int, default=500, help="steps, within an epoch")
    options = parser.parse_args()
    least_of = {"epochs": 1, "batch_size": 2, "limit": 3, "seed": 0, "save_every": 1}
    least_of |= {"image_size": 8}
    for name, least in least_of.items():
        if getattr(options, name) is not None and getattr(options, name) < least:
            given = getattr(options, name)
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, got {given}")
    if options.resume and options.output is None:
        parser.error("--resume needs --output, the folder of the run to continue")
    options.output = options.output or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    return options


def solar_cells(limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read gray photographs of solar cells; the label is the cell's type."""
    try:
        from elpv_dataset.utils import load_dataset
    except ImportError:
        sys.exit("The default images come with a package: pip install 'keras-simmim[examples]'")
    images, _, types = load_dataset()
    chosen = np.linspace(0, len(images) - 1, min(limit or len(images), len(images))).astype(int)
    quarters = images[chosen].reshape(-1, 75, 4, 75, 4).mean((2, 4), dtype="float32")
    return quarters[..., None], np.unique(types, return_inverse=True)[1][chosen]


def datasets(options: argparse.Namespace, **place) -> tuple:
    """Return images to train on, the same and the held-out ones unchanged, and what is held out.

    The place is that of the first batch, and which part of each batch is read.
    """
    train = {name: getattr(options, name) for name in ("image_size", "batch_size", "seed")}
    plain = {**train, "training": False}
    # Two crops of each image, which are to agree.
    scale = ks.pretraining.CROP_SCALE
    train |= {**place, "crops": 2, "crop_scale": scale}
    if options.data == "elpv":
        images, labels = solar_cells(options.limit)
        # Neighboring files show cells of one module: whole stretches of files are held out.
        held_out = np.arange(len(images)) * 40 // len(images) % 5 == 4
        return (
            ks.data.from_arrays(images[~held_out], **train),
            ks.data.from_arrays(images[~held_out], labels[~held_out], **plain),
            ks.data.from_arrays(images[held_out], labels[held_out], **plain),
            "Label: mono or poly. Held out: every fifth of 40 stretches of files.",
        )
    if options.data.startswith("tfds:"):
        name, cut = options.data.removeprefix("tfds:"), round(100 * (1 - HELD_OUT))
        first, last = f"train[:{cut}%]", f"train[{cut}%:]"
        return (
            ks.data.from_tfds(name, first, **train, limit=options.limit),
            ks.data.from_tfds(name, first, **plain, limit=options.limit),
            ks.data.from_tfds(name, last, **plain, limit=options.limit),
            f"Label: the data set's. Held out: {last}.",
        )
    readers = {".tar": ks.data.from_webdataset, ".parquet": ks.data.from_parquet}
    read = readers.get(Path(options.data).suffix, ks.data.image_folder)
    split = {"validation_split": HELD_OUT, "limit": options.limit, "cache": "auto"}
    return (
        read(options.data, **train, **split, subset="training"),
        read(options.data, **plain, **split, subset="training"),
        read(options.data, **plain, **split, subset="validation"),
        "Label: the sub-folder, or that of the tars. "
        f"Held out: {HELD_OUT:.0%} of the images, drawn by the seed.",
    )


def first_images(dataset) -> np.ndarray:
    batch = next(dataset.as_numpy_iterator())
    return batch[0] if isinstance(batch, tuple) else batch


def neighbors(reference, held_out) -> ks.evaluation.KNN | None:
    """Make the evaluator that names held-out images by their neighbors among the others."""
    if not isinstance(reference.element_spec, tuple):
        return None
    return ks.evaluation.KNN(reference, held_out, k=min(20, reference.image_count or 20))


def measured(knn: ks.evaluation.KNN | None, model: ks.SimMIM) -> float | None:
    return knn and dict(knn(model))["knn_accuracy"]


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    keras.utils.set_random_seed(options.seed)
    if options.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    output = options.output
    print(f"Backend: {keras.backend.backend()}. Data: {options.data}. Seed: {options.seed}.")
    try:
        # All processes look at the same images first.
        train, reference, held_out, split = datasets(options, shard=0, shards=1)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"--data {options.data}: {str(error).strip().splitlines()[0]}")
    # In training they come in random order: neighboring files may look alike.
    images, pictures = first_images(train)[:, 0], first_images(held_out)
    pictures = pictures[:: -(-len(pictures) // 8)]
    if not options.resume and (output / "checkpoints").exists():
        sys.exit(f"--output: {output} holds a run; continue it with --resume.")
    try:
        run = ks.pretraining.Run(output, vars(options), fixed=SETTINGS)
    except ValueError as error:
        name, _, reason = str(error).partition(":")
        sys.exit(f"--{name.replace('_', '-')}:{reason}")
    try:
        found = run.interrupted() if options.resume else None
    except ValueError as error:
        sys.exit(f"--resume: {error}")
    print(split)
    print(f"{train.image_count} images to train on, {held_out.image_count} held out.")

    steps_per_epoch, epoch, batch = int(train.cardinality()), 0, 0
    choice, total = ks.pretraining.choose(train.image_count), options.epochs * steps_per_epoch
    model = ks.pretraining.new_model(images, choice, total, options.seed, options.reconstruct)
    knn = neighbors(reference, held_out)
    knn_before = measured(knn, model)
    if found:
        model, epoch, batch = found.model, found.epoch, found.batch
        if found.step != epoch * steps_per_epoch + batch:
            sys.exit(f"--data: {output} was begun with another number of images.")
        print(f"Continuing {output} after epoch {epoch}, batch {batch}.")
    if found or options.distribute:
        train = datasets(options, epoch=epoch, first_batch=batch)[0]
    print(f"{model.count_params():,} parameters. Results go to {output}.")

    evaluators = [knn] if knn else []
    if held_out.image_count != 1:
        evaluators.append(ks.evaluation.EmbeddingStatistics(held_out))
    # The data set shuffles itself, anew in every epoch.
    summary = run.fit(
        model,
        ks.data.metered(train),
        options.epochs,
        initial_epoch=epoch,
        save_every=options.save_every,
        pictures=pictures,
        candidates=images,
        evaluators=evaluators,
        others=[ks.training.callbacks.WarnOfCollapse(images)],
    )
    knn_after = measured(knn, model)
    values = "no labels" if knn_after is None else f"{knn_before:.3f} before, {knn_after:.3f} after"
    print(f"kNN accuracy on held-out images: {values}.")
    summary = {
        "backend": keras.backend.backend(),
        "dataset": options.data,
        "images": train.image_count,
        "image_shape": list(model.backbone.image_shape),
        "epochs": options.epochs,
        **summary,
        "knn_before": knn_before,
        "knn_after": knn_after,
        "parameters": model.count_params(),
        "seed": options.seed,
    }
    report = run.finish(summary)
    first, last = summary["loss_first"], summary["loss_last"]
    print(f"Loss {first:.3f} → {last:.3f} in {summary['seconds']:.0f} s.")
    print(f"Look at {report} or: tensorboard --logdir {output / 'logs'}")


if __name__ == "__main__":
    main()
