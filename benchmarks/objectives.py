"""What does each objective cost, as a share of a training step, ViT-Tiny/16 at 224²?

python benchmarks/objectives.py     # on KERAS_BACKEND; the results go to benchmarks/results

Steps with and without it are taken in turns, in one process; ratios of times are the result.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_simmim as ks

m, o = ks.masking, ks.objectives
RESULTS = Path(__file__).parent / "results"
# Each is compared with the one that computes the same views without it.
CASES = {
    "two views": lambda: [o.Reconstruction()],
    "uniformity": lambda: [o.Reconstruction(), o.Uniformity()],
    "agreement, lejepa": lambda: [o.Reconstruction(), o.Agreement()],
    "agreement, infonce": lambda: [o.Reconstruction(), o.Agreement("infonce")],
    "normalized pixels": lambda: [o.Reconstruction("normalized_pixels")],
    "low pass pixels": lambda: [o.Reconstruction("low_pass_pixels")],
    "jigsaw": lambda: [o.Reconstruction(), o.Jigsaw()],
}


def model_of(objectives: list) -> ks.SimMIM:
    backbone = ks.backbones.ViT((224, 224, 3), 16, num_layers=12, num_heads=3, hidden_dim=192)
    model = ks.SimMIM(
        backbone, m.SpatialMasking(0.75, 1, views=2), encode="visible", objectives=objectives
    )
    model.compile(
        keras.optimizers.AdamW(1e-4),
        jit_compile=keras.backend.backend() == "tensorflow" or "auto",
    )
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    images = np.random.default_rng(0).integers(
        0, 256, (options.batch_size, 224, 224, 3), dtype="uint8"
    )
    models = {name: model_of(case()) for name, case in CASES.items()}
    for model in models.values():
        model.train_on_batch(images)
        model.train_on_batch(images)
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(options.rounds):
        for name, model in models.items():
            started = time.perf_counter()
            logs = model.train_on_batch(images, return_dict=True)
            float(logs["loss"])
            times[name].append(time.perf_counter() - started)
    plain = np.array(times["two views"])
    rows = {}
    for name, values in times.items():
        ratios = np.array(values) / plain
        rows[name] = {
            "seconds": round(float(np.median(values)), 4),
            "ratio": round(float(np.median(ratios)), 4),
            "ratios": [round(float(edge), 4) for edge in np.quantile(ratios, (0.25, 0.75))],
        }
        print(name, rows[name], flush=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"objectives-{keras.backend.backend()}.json"
    path.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
