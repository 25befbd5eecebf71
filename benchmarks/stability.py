"""Is training stable? Every mask generator at learning rates ×1, ×3 and ×10, three seeds.

python benchmarks/stability.py              # the cells that are not yet in the results; the table
python benchmarks/stability.py --shard 0/4  # every fourth cell, to run four at a time

A cell trains the ablation's small ViT for 300 steps at a constant rate after 30 steps of warm-up,
without clipping. "Diverged" is a loss that is not finite, or that ends above where it began.
"""

import argparse
import json
from pathlib import Path

import keras
import modalities
import numpy as np
import pictures

from keras_simmim import masking as m

RESULTS = Path(__file__).parent / "results" / "stability.jsonl"
BASE_RATE = 1e-3
FACTORS = (1, 3, 10)
SEEDS = range(3)
STEPS = 300
GENERATORS = {
    "spatial": ("features", lambda s, b: m.SpatialMasking(0.6, b, s)),
    "spatial, on pixels": ("pixels", lambda s, b: m.SpatialMasking(0.6, b, s)),
    "chroma": ("pixels", lambda s, b: m.ColorMasking("chroma", 0.6, b, s)),
    "low band": ("pixels", lambda s, b: m.TextureMasking("low", 0.25, 0.6, b, s)),
    "high band": ("pixels", lambda s, b: m.TextureMasking("high", 0.25, 0.6, b, s)),
    "all, 3 rounds": ("pixels", lambda s, b: modalities.iterative("sct", s, b)),
    "all, 3 rounds, on features": ("features", lambda s, b: modalities.iterative("sct", s, b)),
    "learned": ("features", lambda s, b: m.LearnedMasking(0.6, b, ramp_steps=150, seed=s)),
    "learned, adversarial": (
        "features",
        lambda s, b: m.LearnedMasking(0.6, b, adversarial=True, ramp_steps=150, seed=s),
    ),
}


class Curve(keras.callbacks.Callback):
    """The loss of every tenth of the training."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.losses.append(float(logs["loss"]))


def run_cell(name: str, factor: int, seed: int) -> list[float]:
    images = pictures.load("color")[0][: 30 * modalities.BATCH]
    keras.utils.set_random_seed(seed)
    mask_on, make = GENERATORS[name]
    block = modalities.BLOCK // (modalities.PATCH if mask_on == "features" else 1)
    model = modalities.new_model(make(seed, block), mask_on, images)
    rate = keras.optimizers.schedules.PolynomialDecay(0.0, 30, BASE_RATE * factor)
    jit_compile = keras.backend.backend() == "tensorflow" or "auto"
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.05), jit_compile=jit_compile)
    curve = Curve()
    arguments = {"batch_size": modalities.BATCH, "epochs": STEPS // 30, "verbose": 0}
    model.fit(images, callbacks=[curve], **arguments)
    return [round(loss, 4) for loss in curve.losses]


def finished() -> dict[tuple[str, int, int], list[float]]:
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text().splitlines())
    return {(row["generator"], row["factor"], row["seed"]): row["losses"] for row in rows}


def table() -> str:
    """First and last tenth's mean loss over seeds, and how many seeds diverged."""
    lines = ["| generator | rate ×1 | ×3 | ×10 |", "|---|---|---|---|"]
    results = finished()
    for name in GENERATORS:
        entries = []
        for factor in FACTORS:
            curves = [results[cell] for s in SEEDS if (cell := (name, factor, s)) in results]
            lost = sum(not np.isfinite(c).all() or c[-1] > c[0] for c in curves)
            ends = [f"{np.mean([curve[i] for curve in curves]):.3f}" for i in (0, 4, -1) if curves]
            notes = [f"{len(curves)} of {len(SEEDS)} seeds"] if len(curves) < len(SEEDS) else []
            notes += [f"{lost} diverged"] if lost else []
            entries.append(" → ".join(ends) + (f" ({', '.join(notes)})" if notes else ""))
        lines.append(f"| {name} | {' | '.join(entries)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--shard", default="0/1", help="i/n: only every n-th cell, from the i-th")
    options = parser.parse_args()
    index, count = map(int, options.shard.split("/"))
    wanted = [(name, factor, seed) for name in GENERATORS for factor in FACTORS for seed in SEEDS]
    missing = [] if options.table else [cell for cell in wanted if cell not in finished()]
    for name, factor, seed in missing[index::count]:
        losses = run_cell(name, factor, seed)
        row = {"generator": name, "factor": factor, "seed": seed, "losses": losses}
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
        keras.backend.clear_session()
    print(table())


if __name__ == "__main__":
    main()
