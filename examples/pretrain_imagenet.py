"""The paper's pretraining, with its recipe and its networks, on ImageNet or any folder of images.

python examples/pretrain_imagenet.py                                  # ImageNet of TFDS
python examples/pretrain_imagenet.py --data imagenet/train            # or as a folder
python examples/pretrain_imagenet.py --recipe simmim_vit_base_800ep   # another published model

The official job runs on 16 GPUs with 128 images each; here 16 batches of 128 add up to one update.
A trial of the same code, which ends within the warm-up:

python examples/pretrain_imagenet.py --data photos --model simmim_swin_tiny --image-size 64 \
    --epochs 1 --limit 8 --batch-size 4
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

import keras_simmim as ks

# The recipe holds all constants of the training itself: epochs, image size, learning rates,
# decay, clipping and crops. The preset holds those of the network and its masks.
RECIPE = "simmim_swin_base_100ep"  # fine-tuned by its authors to 82.8% top-1; 800ep: 84.0%
DATA = "tfds:imagenet2012"
BATCH_SIZE = 128  # images at a time; learning rates are proportional to BATCH_SIZE · ACCUMULATE
ACCUMULATE = 16  # batches that make one update
SEED = 0  # of weights, masks, order, crops and flips
PICTURES = 8  # images whose reconstructions TensorBoard shows
PICTURES_EVERY = 5  # epochs
SAVE_EVERY = 1000  # steps, within an epoch


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pretrain a model of the SimMIM paper.")
    parser.add_argument("--data", default=DATA, help=f"a folder, or tfds:NAME; default {DATA}")
    parser.add_argument("--recipe", default=RECIPE, help=f"default {RECIPE}")
    parser.add_argument("--model", help="preset, default: the recipe's")
    parser.add_argument("--output", type=Path, help="default: runs/<time>")
    parser.add_argument("--epochs", type=int, help="stop after so many; the rates stay as they are")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--accumulate", type=int, default=ACCUMULATE, help="batches an update")
    parser.add_argument("--image-size", type=int, help="pixels, default: the recipe's")
    parser.add_argument("--limit", type=int, help="use only this many images")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--mixed-precision", action="store_true", help="compute in bfloat16")
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    parser.add_argument("--resume", action="store_true", help="continue what --output holds")
    options = parser.parse_args()
    for name, least in (
        ("epochs", 1),
        ("batch_size", 1),
        ("accumulate", 1),
        ("image_size", 1),
        ("limit", 1),
        ("seed", 0),
    ):
        if getattr(options, name) is not None and getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    if options.resume and options.output is None:
        parser.error("--resume needs --output, the folder of the run to continue")
    options.output = options.output or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    return options


def dataset(options: argparse.Namespace, **settings):
    settings = {"image_size": options.image_size, "seed": options.seed, **settings}
    if options.data.startswith("tfds:"):
        return ks.data.from_tfds(options.data.removeprefix("tfds:"), "train", **settings)
    return ks.data.image_folder(options.data, labels=None, **settings)


def training_set(
    options: argparse.Namespace, recipe: ks.training.PretrainingRecipe, epoch: int, first_batch: int
):
    settings = {"batch_size": options.batch_size, "limit": options.limit}
    settings |= {"epoch": epoch, "first_batch": first_batch}
    return dataset(options, **settings, **recipe.augmentation)


def pictures(options: argparse.Namespace):
    """Return the first images, uncropped, to look at while training."""
    count = min(PICTURES, options.limit or PICTURES)
    plain = dataset(options, batch_size=count, limit=count, training=False)
    batch = next(plain.as_numpy_iterator())
    return batch[0] if isinstance(batch, tuple) else batch


def new_model(
    options: argparse.Namespace, recipe: ks.training.PretrainingRecipe, accumulate: int
) -> ks.SimMIM:
    image_shape = (options.image_size, options.image_size, 3)
    name = options.model or recipe.preset
    model = ks.SimMIM.from_preset(name, image_shape=image_shape, seed=options.seed)
    optimizer = recipe.optimizer(
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
    )
    # XLA pays on TensorFlow even on a CPU, where "auto" leaves it off.
    model.compile(optimizer, jit_compile=keras.backend.backend() == "tensorflow" or "auto")
    return model


def constants(model: ks.SimMIM) -> tuple:
    """Return what a run that continues another must have in common with it."""
    return model.backbone.image_shape, {**model.optimizer.get_config(), "name": None}


def continued(checkpoints: Path) -> ks.training.Resumed | None:
    try:
        return ks.training.resume(checkpoints)
    except ValueError as error:
        sys.exit(f"--resume: {error}")


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    started = time.time()
    keras.utils.set_random_seed(options.seed)
    if options.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    output, checkpoints = options.output, options.output / "checkpoints"
    if not options.resume and checkpoints.exists():
        sys.exit(f"--output: {output} holds a run; continue it with --resume.")
    try:
        recipe = ks.training.pretraining_recipe(options.recipe, steps_per_epoch=1, batch_size=1)
    except ValueError as error:
        sys.exit(f"--recipe: {error}")
    options.image_size = options.image_size or recipe.image_size
    epochs = min(options.epochs or recipe.epochs, recipe.epochs)
    try:
        train = training_set(options, recipe, epoch=0, first_batch=0)
        to_look_at = pictures(options)
    # TFDS asks for archives that it may not download by an AssertionError.
    except (AssertionError, ImportError, OSError, ValueError) as error:
        sys.exit(f"--data {options.data}: {str(error).strip().splitlines()[0]}")

    steps_per_epoch, epoch, batch = int(train.cardinality()), 0, 0
    accumulate = min(options.accumulate, steps_per_epoch)
    recipe = dataclasses.replace(
        recipe, steps_per_epoch=steps_per_epoch, batch_size=options.batch_size * accumulate
    )
    try:
        model = new_model(options, recipe, accumulate)
    except (TypeError, ValueError) as error:
        sys.exit(f"--model, --image-size: {error}")
    if options.resume and (run := continued(checkpoints)):
        asked, model = model, run.model
        steps = run.epoch * steps_per_epoch + run.batch
        if constants(model) != constants(asked) or run.step != steps:
            sys.exit(f"--resume: {output} was begun with another recipe, image or batch size.")
        epoch, batch = run.epoch, run.batch
        train = training_set(options, recipe, epoch, batch)
        print(f"Continuing {output} after epoch {epoch}, batch {batch}.")
    print(f"Backend: {keras.backend.backend()}. Data: {options.data}. Seed: {options.seed}.")
    print(f"{train.image_count} images, {steps_per_epoch} batches an epoch, {epochs} epochs.")
    print(f"Recipe: {recipe.name}, {accumulate} × {options.batch_size} images an update.")
    print(f"{model.count_params():,} parameters. Results go to {output}.")

    losses = ks.training.callbacks.StepLosses(output / "losses.csv")
    callbacks = [
        losses,
        ks.training.callbacks.Checkpoint(checkpoints, SAVE_EVERY),
        ks.training.callbacks.Watch(to_look_at, output / "logs", every=PICTURES_EVERY),
        keras.callbacks.TensorBoard(output / "logs", write_graph=False),
    ]
    fit_started = time.time()
    # The data set shuffles itself, anew in every epoch.
    model.fit(train, epochs=epochs, initial_epoch=epoch, callbacks=callbacks, shuffle=False)
    steps = max(epochs - epoch, 0) * steps_per_epoch - batch
    images_seen = steps * options.batch_size
    loss_first, loss_last = losses.first_and_last()
    summary = {
        "backend": keras.backend.backend(),
        "recipe": recipe.name,
        "model": options.model or recipe.preset,
        "dataset": options.data,
        "images": train.image_count,
        "image_shape": list(model.backbone.image_shape),
        "batch_size": options.batch_size,
        "accumulate": accumulate,
        "epochs": epochs,
        "steps": len(losses.losses),
        "seconds": round(time.time() - started, 1),
        "images_per_second": round(images_seen / (time.time() - fit_started), 1),
        "loss_first": loss_first,
        "loss_last": loss_last,
        "parameters": model.count_params(),
        "seed": options.seed,
    }
    with ks.training.written_once(output) as folder:
        if folder is not None:
            # Renamed when it is whole, as the checkpoints are.
            model.save(folder / ".model.keras")
            os.replace(folder / ".model.keras", folder / "model.keras")
            (folder / "summary.json").write_text(json.dumps(summary, indent=2))
    print(f"Loss {loss_first:.3f} → {loss_last:.3f} in {summary['seconds']:.0f} s.")
    print(f"Look at: tensorboard --logdir {output / 'logs'}")


if __name__ == "__main__":
    main()
