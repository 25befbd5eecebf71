"""Does a network that has seen functional cells alone know a defective one when it sees it?

taskset -c 1 python benchmarks/anomaly.py          # three seeds, some ten minutes
python benchmarks/anomaly.py --table               # only prints what is there

A network is pretrained for so many seconds of one core on the functional cells of the train
stretches. Then the cells of the held-out stretches are ordered by how strange they are, and the
area under the ROC curve (AUROC) says how often a defective cell is stranger than a functional
one. The same by an untrained network, and without any. Results go to
benchmarks/results/anomaly.jsonl; what is there is not run again.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["OMP_NUM_THREADS"] = "1"

import keras
import numpy as np
import pictures
from representation import Batches, compile_model, interval, steps_within
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

import keras_simmim as ks

RESULTS = Path(__file__).parent / "results" / "anomaly.jsonl"
SIDE, BATCH, SECONDS = 64, 64, 120
NEIGHBORS = 5
# The middle one of four blocks, and the share of its patches that are remembered.
BLOCK, REMEMBERED = 1, 0.25
MEASURES = ("reconstruction error", "embeddings", "patches")


def new_model(images: np.ndarray, seed: int) -> ks.SimMIM:
    backbone = ks.backbones.ViT(
        images.shape[1:], 8, num_layers=4, num_heads=4, hidden_dim=128, mlp_dim=512
    )
    return ks.SimMIM(
        backbone,
        ks.masking.SpatialMasking(0.75, 1, seed=seed),
        encode="visible",
        crops=ks.training.Crops(1, (1.0, 1.0), seed=seed, image_size=SIDE),
        mean=images.mean((0, 1, 2)),
        std=images.std((0, 1, 2)),
    )


def distances(known: np.ndarray, asked: np.ndarray, neighbors: int) -> np.ndarray:
    """Mean distances to the nearest of what is known, all features of the same scale."""
    scaler = StandardScaler().fit(known)
    found = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(scaler.transform(known))
    return found.kneighbors(scaler.transform(asked))[0].mean(axis=1)


def middle_patches(model: ks.SimMIM, images: np.ndarray) -> np.ndarray:
    """Features (N, patches, D) of the middle block."""
    pixels = keras.Input(model.backbone.image_shape)
    features = model.backbone.block_outputs(model.normalize(pixels))[BLOCK]
    found = keras.Model(pixels, features).predict(images, verbose=0)
    return found.reshape(len(images), -1, found.shape[-1])


def judged(model: ks.SimMIM, known: np.ndarray, images: np.ndarray, labels: np.ndarray) -> dict:
    """AUROC of the defects by each measure of strangeness."""
    patches, asked = (middle_patches(model, each) for each in (known, images))
    flat = patches.reshape(-1, patches.shape[-1])
    chosen = np.random.default_rng(0).permutation(len(flat))[: int(REMEMBERED * len(flat))]
    farthest = distances(flat[chosen], asked.reshape(-1, asked.shape[-1]), 1)
    scores = (
        ks.evaluation.anomaly_map(model, images)["scores"],
        distances(model.embed(known), model.embed(images), NEIGHBORS),
        farthest.reshape(len(images), -1).max(axis=1),
    )
    pairs = zip(MEASURES, scores, strict=True)
    return {name: round(float(roc_auc_score(labels, score)), 4) for name, score in pairs}


def without_network(known: np.ndarray, images: np.ndarray, labels: np.ndarray) -> dict:
    """AUROC by darkness, and by the distance to the nearest cells in pixels."""
    flat, asked = (each.reshape(len(each), -1).astype("float32") for each in (known, images))
    scores = {"darkness": -asked.mean(axis=1), "pixels": distances(flat, asked, NEIGHBORS)}
    return {name: round(float(roc_auc_score(labels, score)), 4) for name, score in scores.items()}


def rows() -> list[dict]:
    return list(map(json.loads, RESULTS.read_text().splitlines())) if RESULTS.exists() else []


def write(row: dict) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(row, flush=True)


def run(seeds: int, steps: int | None) -> None:
    images, labels, test_images, test_labels = pictures.load("defects", SIDE)
    known, done = images[labels == 0], {(row["arm"], row.get("seed")) for row in rows()}
    if ("no network", None) not in done:
        write({"arm": "no network", **without_network(known, test_images, test_labels)})
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model, took = new_model(known, seed), {}
        for arm in ("untrained", "trained"):
            if (arm, seed) in done:
                continue
            if arm == "trained":
                count = steps or steps_within(new_model(known, seed), known, SECONDS, BATCH)
                compile_model(model, count, 1.5e-3)
                started = time.process_time()
                loss = model.fit(Batches(known, count, BATCH, seed), verbose=0).history["loss"]
                seconds = round(time.process_time() - started, 1)
                took = {"steps": count, "cpu_seconds": seconds, "loss": round(loss[-1], 4)}
            measures = judged(model, known, test_images, test_labels)
            write({"arm": arm, "seed": seed, **took, **measures})


def table() -> str:
    lines = [f"| network | steps | {' | '.join(MEASURES)} | seeds |", "|---" * 6 + "|"]
    for arm in ("untrained", "trained"):
        chosen = [row for row in rows() if row["arm"] == arm]
        steps = np.mean([row.get("steps", 0) for row in chosen]) if chosen else 0
        entries = [interval([row[name] for row in chosen]) for name in MEASURES]
        lines.append(f"| {arm} | {steps:.0f} | {' | '.join(entries)} | {len(chosen)} |")
    alone = [row for row in rows() if row["arm"] == "no network"]
    return "\n".join([*lines, *map(str, alone)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="instead of as many as fit the time")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    if not options.table:
        run(options.seeds, options.steps)
    print(table())


if __name__ == "__main__":
    main()
