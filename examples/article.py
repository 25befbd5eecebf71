"""The article's training job: a folder of class folders, 224×224, batches of 64, 100 epochs.

python examples/article.py --data path/to/images          # one sub-folder for each class
python examples/article.py --epochs 2 --limit 640         # solar cells, written as class folders
python examples/article.py --model article_cnn            # its case study, not its sample code
KERAS_BACKEND=jax python examples/article.py              # the same job on another backend
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

import keras_simmim as ks
from keras_simmim.training.tensorboard_writer import TensorBoardWriter

EVERY = 10  # steps between two printed losses


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="class folders; default: solar cells")
    parser.add_argument(
        "--model", choices=("article_learned_mask", "article_cnn"), default="article_learned_mask"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/article"))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=224, help="pixels")
    parser.add_argument("--limit", type=int, help="use only this many images")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name, least in (("epochs", 1), ("batch_size", 1), ("image_size", 3), ("seed", 0)):
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    return options


def solar_cells(folder: Path) -> Path:
    """Write the photographs of elpv-dataset as folder/mono/0.png and so on, once."""
    try:
        from elpv_dataset.utils import load_dataset
    except ImportError:
        sys.exit("The default images come with a package: pip install 'keras-simmim[examples]'")
    images, _, types = load_dataset()
    for name in np.unique(types):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index, (image, name) in enumerate(zip(images, types, strict=True)):
        path = folder / name / f"{index:04}.png"
        if not path.exists():
            keras.utils.save_img(path, image[..., None], scale=False)
    return folder


class LogLoss(keras.callbacks.Callback):
    """Print the loss of every tenth step and writes it to TensorBoard."""

    def __init__(self, losses: ks.training.callbacks.StepLosses, log_dir: Path) -> None:
        super().__init__()
        self.recorded = losses
        self.writer = TensorBoardWriter(log_dir / "train")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Log this step's loss, if it is its turn."""
        step = len(self.recorded.losses)
        if step % EVERY == 0:
            print(f"step {step}: loss {self.recorded.losses[-1]:.4f}", flush=True)
            self.writer.scalar("step_loss", self.recorded.losses[-1], step)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the log."""
        self.writer.close()


def main() -> None:
    options = arguments()
    started = time.time()
    keras.utils.set_random_seed(options.seed)
    output, size = options.output, options.image_size
    data = options.data or solar_cells(output.parent / "solar-cells")
    common = {"batch_size": options.batch_size, "seed": options.seed, "limit": options.limit}
    common |= {"image_size": size, "validation_split": 0.2}
    try:
        train = ks.data.image_folder(data, **common, subset="training")
        held_out = ks.data.image_folder(data, **common, subset="validation", training=False)
    except (OSError, ValueError) as error:
        sys.exit(f"--data {data}: {error}")
    names = train.class_names
    if names is None or len(names) < 2:
        sys.exit(f"--data {data}: needs at least two class folders.")
    print(f"Backend: {keras.backend.backend()}. Classes: {', '.join(names)}.")
    print(f"{train.image_count} images to train on, {held_out.image_count} held out.")

    model = ks.SimMIM.from_preset(
        options.model, image_shape=(size, size, 3), num_classes=len(names)
    )
    # The preset's optimizer, Adam at 1e-3; XLA pays on TensorFlow even on a CPU.
    if keras.backend.backend() == "tensorflow":
        model.compile(model.optimizer, jit_compile=True)
    print(f"{options.model}: {model.count_params():,} parameters.")
    losses = ks.training.callbacks.StepLosses(output / "losses.csv")
    pictures = next(held_out.as_numpy_iterator())[0][:8]
    callbacks = [
        losses,
        LogLoss(losses, output / "logs"),
        ks.training.callbacks.Watch(pictures, output / "logs"),
        keras.callbacks.TensorBoard(output / "logs", histogram_freq=1, write_graph=False),
    ]
    # The data set shuffles itself, anew in every epoch.
    model.fit(train, epochs=options.epochs, shuffle=False, verbose=0, callbacks=callbacks)
    model.save_weights(output / "model.weights.h5")
    model.save(output / "model.keras")

    measured = model.evaluate(held_out, verbose=0, return_dict=True)
    loss_first, loss_last = losses.first_and_last()
    summary = {
        "backend": keras.backend.backend(),
        "model": options.model,
        "classes": names,
        "images": train.image_count,
        "epochs": options.epochs,
        "steps": len(losses.losses),
        "seconds": round(time.time() - started, 1),
        "loss_first": loss_first,
        "loss_last": loss_last,
        "held_out_accuracy": measured["accuracy"],
        "parameters": model.count_params(),
        "seed": options.seed,
    }
    (output / "summary.json").write_text(json.dumps(summary, indent=2))
    print(f"Loss {loss_first:.3f} → {loss_last:.3f} in {summary['seconds']:.0f} s.")
    print(f"Accuracy on held-out images: {measured['accuracy']:.3f}.")
    print(
        f"Weights: {output / 'model.weights.h5'}. Look at: tensorboard --logdir {output / 'logs'}"
    )


if __name__ == "__main__":
    main()
