"""What memory does a training step take, and how long is it until the first one has been taken?

python benchmarks/resources.py          # every backend and Hugging Face, a process each, in turns

ViT-Tiny/16 at 224², batch 16, AdamW, float32. Memory: the process's largest resident size after
three steps, and that above what it had with everything imported. First step: from before the model
is built until the first step is done, without imports. Medians over the rounds.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CONTESTANTS = ("tensorflow", "jax", "torch", "hugging_face")


def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run():
    """Three steps in this process; prints a row."""
    import keras  # noqa: F401
    import numpy as np
    import peers

    images = np.random.default_rng(0).integers(0, 256, (16, 224, 224, 3), dtype="uint8")
    theirs = os.environ["CONTESTANT"] == "hugging_face"
    if theirs:
        import transformers  # noqa: F401
    else:
        import keras_simmim  # noqa: F401
    imported, started = megabytes(), time.perf_counter()
    if theirs:
        model = peers.their_model("vit_tiny")
        step = peers.their_step(model, images, 16, peers.hugging_face)
    else:
        step = peers.compiled(peers.our_model("vit_tiny"), images)
    step()
    first = time.perf_counter() - started
    step()
    step()
    print(json.dumps({"first_step": first, "peak": megabytes(), "added": megabytes() - imported}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        run()
        return
    measured = {name: [] for name in CONTESTANTS}
    for _ in range(options.rounds):
        for name in CONTESTANTS:
            backend = "torch" if name == "hugging_face" else name
            environment = {**os.environ, "KERAS_BACKEND": backend, "CONTESTANT": name}
            command = [sys.executable, __file__, "--here"]
            output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            measured[name].append(json.loads(output.stdout.splitlines()[-1]))
    rows = {
        name: {key: round(statistics.median(row[key] for row in values), 1) for key in values[0]}
        for name, values in measured.items()
    }
    file = Path(__file__).parent / "results" / "resources.json"
    file.write_text(json.dumps(rows, indent=2) + "\n")
    print("| | first step, s | peak, MB | ÷ Hugging Face | above the imports, MB |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        ratio = row["peak"] / rows["hugging_face"]["peak"]
        print(f"| {name} | {row['first_step']} | {row['peak']} | {ratio:.2f} | {row['added']} |")


if __name__ == "__main__":
    main()
