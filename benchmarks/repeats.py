"""Do two runs with one seed have the same losses to the last bit, and what does that cost?

python benchmarks/repeats.py                     # every backend and setting, a table
python benchmarks/repeats.py --backend torch --steps 20

Each setting trains the network of examples/train.py twice, in two processes, on random images.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_simmim as ks

RESULTS = Path(__file__).parent / "results" / "repeats.json"
# Backend, what is asked of it, and jit_compile.
SETTINGS = {
    "tensorflow, XLA": ("tensorflow", "", True),
    "tensorflow": ("tensorflow", "", False),
    "tensorflow, op determinism": ("tensorflow", "determinism", "auto"),
    "jax": ("jax", "", "auto"),
    "torch": ("torch", "", "auto"),
    "torch, deterministic algorithms": ("torch", "determinism", "auto"),
}
BATCH, SIDE = 16, 64
WARM_UP = 5  # steps that are not timed: the first compiles


class Steps(keras.callbacks.Callback):
    """The loss and the seconds of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses, self.seconds = [], []

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.losses.append(float(logs["loss"]).hex())
        self.seconds.append(time.perf_counter() - self.started)


def ask_for_determinism() -> None:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    else:
        import torch

        torch.use_deterministic_algorithms(True)


def one_run(setting: str, steps: int) -> dict:
    _, asked, jit_compile = SETTINGS[setting]
    keras.utils.set_random_seed(0)
    if asked:
        ask_for_determinism()
    images = np.random.default_rng(0).integers(0, 256, (BATCH * steps, SIDE, SIDE, 3), "uint8")
    backbone = ks.backbones.ViT(
        images.shape[1:], patch_size=16, num_layers=4, num_heads=4, hidden_dim=128, mlp_dim=512
    )
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 1))
    model.compile(keras.optimizers.AdamW(2e-3, weight_decay=0.05), jit_compile=jit_compile)
    watch = Steps()
    model.fit(ks.data.from_arrays(images, batch_size=BATCH), verbose=0, callbacks=[watch])
    return {"losses": watch.losses, "ms": 1000 * float(np.median(watch.seconds[WARM_UP:]))}


def table(results: dict) -> str:
    lines = ["| setting | two runs, losses of all steps | ms a step |", "|---|---|---|"]
    for setting in SETTINGS:
        if found := results.get(setting):
            same = "equal to the last bit" if found["equal"] else "differ"
            lines.append(f"| {setting} | {same}, {found['steps']} steps | {found['ms']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    backends = sorted({backend for backend, _, _ in SETTINGS.values()})
    parser.add_argument("--backend", choices=backends, help="default: all")
    parser.add_argument("--steps", type=int, default=60, help=f"more than {WARM_UP}")
    parser.add_argument("--results", type=Path, default=RESULTS, help="a JSON file to add to")
    parser.add_argument("--here", choices=SETTINGS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps <= WARM_UP:
        parser.error(f"--steps must be more than {WARM_UP}, got {options.steps}")
    if options.here:
        print(json.dumps(one_run(options.here, options.steps)))
        return
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    chosen = {n: s for n, s in SETTINGS.items() if options.backend in (None, s[0])}
    runs: dict[str, list[dict]] = {setting: [] for setting in chosen}
    # One run of each, and then the other: what else the machine does slows all of them.
    for setting in [*chosen, *chosen]:
        command = [sys.executable, __file__, "--here", setting, "--steps", str(options.steps)]
        environment = {**os.environ, "KERAS_BACKEND": chosen[setting][0]}
        process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if process.returncode:
            sys.exit(f"{setting} has failed.")
        runs[setting].append(json.loads(process.stdout.splitlines()[-1]))
    for setting, (first, second) in runs.items():
        results[setting] = {
            "equal": first["losses"] == second["losses"],
            "steps": len(first["losses"]),
            "ms": round(min(first["ms"], second["ms"]), 1),
        }
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
