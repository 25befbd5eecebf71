"""What does it cost to watch a run?

python benchmarks/watching.py           # TensorFlow; KERAS_BACKEND=jax or torch for the others

ViT-Tiny/16 at 224², batch 16, two epochs of `--steps` steps from `ks.data.from_arrays`. The time
inside each callback is added up where it is called: in the steps, and at the end of the epochs,
the last of which is one with histograms and pictures. Beside it the time of a step and of an epoch
of 1,000 such steps, so that the shares are of one run; and what a metered data set takes longer
than the same one without a meter, in turns.
"""

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import keras_simmim as ks

BATCH, SIDE, EPOCH = 16, 224, 1000  # images, pixels, steps
callbacks = ks.training.callbacks


def timed(callback: keras.callbacks.Callback, times: dict[str, list[float]]) -> None:
    """Let a callback's methods note how long they took, in `times` by their name."""
    for name in ("on_train_batch_begin", "on_train_batch_end", "on_epoch_begin", "on_epoch_end"):
        if name not in vars(type(callback)):
            continue
        method = getattr(callback, name)

        def note(*arguments, method=method, name=name, **named):
            started = time.perf_counter()
            method(*arguments, **named)
            times[name].append(time.perf_counter() - started)

        setattr(callback, name, note)


def meter_microseconds(images: np.ndarray, repeats: int) -> float:
    """How much longer a metered batch takes than another: the least of several, taken in turns."""
    plain = ks.data.from_arrays(images, batch_size=1, training=False)
    both = plain, ks.data.metered(plain)
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(repeats):
        for dataset, times in zip(both, seconds, strict=True):
            started = time.perf_counter()
            for _ in dataset:
                pass
            times.append(time.perf_counter() - started)
    plain_seconds, metered_seconds = map(min, seconds)
    return 1e6 * (metered_seconds - plain_seconds) / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8, help="steps an epoch")
    options = parser.parse_args()
    backend = keras.backend.backend()
    shape = (options.steps * BATCH, SIDE, SIDE, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    model = ks.SimMIM(
        ks.backbones.ViT(shape[1:], 16, 12, 3, 192), ks.masking.SpatialMasking(0.6, 2)
    )
    model.compile(keras.optimizers.AdamW(1e-3), jit_compile=backend == "tensorflow" or "auto")
    dataset = ks.data.metered(ks.data.from_arrays(images, batch_size=BATCH))
    model.fit(dataset, epochs=1, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        watching = [
            callbacks.Telemetry(dataset),
            callbacks.EpochTable(Path(folder) / "epochs.csv"),
            callbacks.TensorBoard(logs, histograms=None, steps=1),
            callbacks.TensorBoard(logs, histograms=2),
            callbacks.Watch(images[:8], logs, every=2),
            callbacks.Progress(dataset),
        ]
        names = ["Telemetry", "EpochTable", "TensorBoard, every step", "TensorBoard, histograms"]
        times = {name: defaultdict(list) for name in [*names, "Watch, 8 images", "Progress"]}
        for callback, record in zip(watching, times.values(), strict=True):
            timed(callback, record)
        seconds = model.fit(dataset, epochs=2, verbose=0, callbacks=watching).history[
            "epoch_seconds"
        ]
    step = min(seconds) / options.steps
    result = {"step_ms": round(1000 * step, 1)}
    print(f"{backend}: {1000 * step:.0f} ms a step, {BATCH} images of {SIDE}²")
    print(
        f"{'':26} {'a step, µs':>11} {'an epoch, ms':>13} {'with pictures or histograms, ms':>32}"
    )
    print(f"{'':26} {'':>11} {'':>13} {'(share of 1,000 steps)':>32}")
    for name, record in times.items():
        batch = float(np.median(record["on_train_batch_end"] or [0]))
        first, last = record["on_epoch_end"]
        share = last / (EPOCH * step)
        result[name] = {"step_us": 1e6 * batch, "epoch_ms": 1e3 * first, "last_ms": 1e3 * last}
        told = f"{1e3 * last:.1f} ({share:.3%})"
        print(f"{name:26} {1e6 * batch:11.0f} {1e3 * first:13.2f} {told:>32}")
    result["meter_us"] = meter_microseconds(images[:, :8, :8], 31)
    print(f"{'a metered batch':26} {result['meter_us']:11.0f}")
    path = Path(__file__).parent / "results" / f"watching-{backend}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
