"""What does a request to the exported model cost, beside `predict` and torch, in the same run?

KERAS_BACKEND=torch python benchmarks/serving.py        # jax and tensorflow likewise

ViT-Tiny/16 at 224² with ten classes, float32: one image, and 32. The candidates take turns; each
turn's first call is not counted, since the other runtimes' threads are still going to sleep. "torch
eager" is Hugging Face's ViTModel of that size; on the torch backend "keras eager" is this very
network, called without `predict`. "JPEG" starts from photographs of 500×375 pixels. Sizes in MB.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
import torch
import transformers

import keras_simmim as ks

SIDE = 224


def model_of_ours():
    backbone = ks.backbones.ViT((SIDE, SIDE, 3), 16, 12, 3, 192, class_token=True)
    return ks.ImageClassifier(backbone, num_classes=10)


def model_of_theirs():
    sizes = {"hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3}
    return transformers.ViTModel(transformers.ViTConfig(**sizes, intermediate_size=768)).eval()


def candidates(model, served, theirs, batch):
    """Functions that answer one request of `batch` images, by name."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (batch, SIDE, SIDE, 3), dtype="uint8")
    photograph = tf.image.resize(generator.integers(0, 256, (25, 33, 3)), (375, 500))
    contents = [tf.io.encode_jpeg(tf.cast(photograph, tf.uint8)).numpy()] * batch

    def torch_eager():
        with torch.inference_mode():
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
            return theirs(pixels / 128 - 1).pooler_output.numpy()

    def keras_eager():
        with torch.inference_mode():
            return model(images, training=False).numpy()

    found = {
        "SavedModel": lambda: served.predict(images=images),
        "SavedModel, JPEG": lambda: served.predict(contents),
        "predict": lambda: model.predict(images, batch_size=batch, verbose=0),
        "torch eager": torch_eager,
    }
    if keras.backend.backend() == "torch":
        found["keras eager"] = keras_eager
    return found


def seconds(function, calls):
    """The times of a turn's calls but the first."""
    times = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times[1:]


def megabytes(path):
    files = [file for file in Path(path).rglob("*") if file.is_file()] or [Path(path)]
    return sum(file.stat().st_size for file in files) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="turns of each candidate")
    parser.add_argument("--calls", type=int, default=5, help="counted calls of a turn")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32], help="images a request")
    arguments = parser.parse_args()
    backend = keras.backend.backend()
    model, theirs = model_of_ours(), model_of_theirs()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        path = ks.export.export_saved_model(model, f"{folder}/vit_tiny")
        export_seconds = time.perf_counter() - started
        model.save(f"{folder}/model.keras")
        sizes = {"SavedModel": megabytes(path), ".keras": megabytes(f"{folder}/model.keras")}
        served = ks.export.ServedModel(path)
        rows = []
        for batch in arguments.batches:
            functions = candidates(model, served, theirs, batch)
            times = {name: seconds(function, 1) and [] for name, function in functions.items()}
            for _ in range(arguments.rounds):
                for name, function in functions.items():
                    times[name] += seconds(function, arguments.calls)
            for name, values in times.items():
                median = statistics.median(values)
                row = {"batch": batch, "candidate": name, "milliseconds": 1e3 * median}
                row["fastest"] = 1e3 * min(values)
                row["images_per_second"] = batch / median
                row["of_torch_eager"] = median / statistics.median(times["torch eager"])
                rows.append(row)
                print(
                    "| {batch} | {candidate} | {milliseconds:.1f} | {fastest:.1f} | "
                    "{images_per_second:.1f} | {of_torch_eager:.2f} |".format(**row),
                    flush=True,
                )
    print(f"Exported from {backend} in {export_seconds:.1f} s; MB: {sizes}")
    result = {"backend": backend, "export_seconds": export_seconds, "megabytes": sizes}
    file = Path(__file__).parent / "results" / f"serving_{backend}.json"
    file.write_text(json.dumps({**result, "requests": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
