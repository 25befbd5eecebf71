"""Does a run survive? Kills at any moment, and memory over many steps, on each backend.

python benchmarks/endurance.py                                   # 50 kills, 2,000 steps each
python benchmarks/endurance.py --part kills --backend torch --kills 2

A network with dropout, batch normalization and learned masking trains on random crops, with a
schedule, an average of the weights and accumulated gradients. It is killed by SIGKILL, every other
time while a checkpoint is being written, and resumed. In the end every variable of model and
optimizer, and every row of the losses, are compared with those of a run that nobody killed.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_simmim as ks
from keras_simmim.data.sources import arrays as _arrays  # noqa: F401, TensorFlow before the fork

RESULTS = Path(__file__).parent / "results" / "endurance.json"
BACKENDS = ("tensorflow", "jax", "torch")
SHAPE = (16, 24, 3)
BATCH, EPOCH = 4, 7  # images a batch, batches an epoch
SAVE_EVERY = 3  # steps
SLICES = 20  # parts of the steps after which the memory is read


def new_model(steps: int) -> ks.SimMIM:
    keras.utils.set_random_seed(0)
    images = keras.Input(SHAPE)
    maps = keras.layers.Conv2D(16, 4, 4, name="patches")(images)
    maps = keras.layers.BatchNormalization()(keras.layers.Dropout(0.2, seed=1)(maps))
    maps = keras.layers.Dropout(0.2)(keras.layers.Conv2D(16, 3, padding="same")(maps))
    backbone = ks.backbones.from_keras(keras.Model(images, maps), mask_at="patches")
    model = ks.SimMIM(backbone, ks.masking.LearnedMasking(0.6, 2, ramp_steps=steps))
    rate = keras.optimizers.schedules.CosineDecay(1e-2, steps)
    accumulate = {"use_ema": True, "ema_momentum": 0.9, "gradient_accumulation_steps": 2}
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.05, **accumulate))
    return model


def data(epoch: int = 0, first_batch: int = 0):
    images = np.random.default_rng(0).integers(0, 256, (BATCH * EPOCH, *SHAPE), dtype="uint8")
    return ks.data.from_arrays(images, batch_size=BATCH, epoch=epoch, first_batch=first_batch)


class Variables(keras.callbacks.Callback):
    """Writes all variables after the last epoch, before averages replace the weights."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch + 1 == self.params["epochs"]:
            variables = [*self.model.variables, *self.model.optimizer.variables]
            values = [keras.ops.convert_to_numpy(variable) for variable in variables]
            aside = self.path.with_name("aside.npz")
            np.savez(aside, *values, np.array([logs[name] for name in sorted(logs)]))
            os.replace(aside, self.path)


def train(folder: Path, epochs: int) -> None:
    """Begin a run, or go on with the one that the folder holds."""
    run = ks.training.resume(folder / "checkpoints")
    model, epoch, batch = (new_model(epochs * EPOCH), 0, 0) if run is None else run[:3]
    callbacks = [
        ks.training.callbacks.StepLosses(folder / "losses.csv"),
        ks.training.callbacks.Checkpoint(folder / "checkpoints", every=SAVE_EVERY),
        Variables(folder / "variables.npz"),
    ]
    images = data(epoch, batch)
    model.fit(images, epochs=epochs, initial_epoch=epoch, callbacks=callbacks, verbose=0)


def begin(folder: Path, epochs: int) -> int:
    """A training process, forked so that the imports are not paid for each time; its id."""
    if (process := os.fork()) == 0:
        status = 1
        try:
            folder.mkdir(exist_ok=True)
            train(folder, epochs)
            status = 0
        finally:
            os._exit(status)
    return process


def rows(folder: Path) -> int:
    file = folder / "losses.csv"
    return len(file.read_text().splitlines()) if file.exists() else 0


def kill(process: int, folder: Path, while_saving: bool) -> bool:
    """Kill the process after a few steps; False if it came to its end before."""
    first, steps, moment = None, random.randint(1, 8), random.uniform(0, 0.03)
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        count = rows(folder)
        first = count if first is None or count < first else first
        ready = count >= first + steps
        if while_saving:
            ready = ready and any((folder / "checkpoints").glob(".step-*.part"))
        if ready:
            time.sleep(0 if while_saving else moment)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return True
        time.sleep(0.005)
    return False


def kills(wanted: int) -> dict:
    random.seed(0)
    epochs = wanted + 3
    done = {"any moment": 0, "while saving": 0}
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = Path(temporary) / "whole", Path(temporary) / "killed"
        started = time.time()
        if os.waitpid(begin(whole, epochs), 0)[1]:
            sys.exit("The run that nobody kills has failed.")
        left = 0
        while sum(done.values()) < wanted:
            while_saving = sum(done.values()) % 2 == 1
            if not kill(begin(killed, epochs), killed, while_saving):
                sys.exit(f"The run came to its end, or failed, after {done} kills.")
            done["while saving" if while_saving else "any moment"] += 1
            left += any((killed / "checkpoints").glob(".step-*.part"))
        if os.waitpid(begin(killed, epochs), 0)[1]:
            sys.exit(f"The run could not go on after {done} kills.")
        pairs = [np.load(folder / "variables.npz") for folder in (whole, killed)]
        differences = [
            float(np.abs(pairs[0][name].astype(float) - pairs[1][name]).max()) for name in pairs[0]
        ]
        same = (whole / "losses.csv").read_text() == (killed / "losses.csv").read_text()
        return {
            "kills": done,
            "half-written checkpoints left by kills": left,
            "steps": rows(whole) - 1,
            "arrays compared": len(differences),
            "largest difference": max(differences),
            "losses equal to the last bit": same,
            "seconds": round(time.time() - started, 1),
        }


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Memory(keras.callbacks.Callback):
    """Reads the resident memory after every so many steps."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every, self.steps, self.read = every, 0, []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        if self.steps % self.every == 0:
            self.read.append(round(resident(), 1))


def memory(steps: int) -> dict:
    every, epochs = max(1, steps // SLICES), -(-steps // EPOCH)
    watch = Memory(every)
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [
            watch,
            ks.training.callbacks.StepLosses(Path(folder) / "losses.csv"),
            ks.training.callbacks.Checkpoint(Path(folder) / "checkpoints", every=100),
        ]
        model, started = new_model(steps), time.time()
        model.fit(data(), epochs=epochs, callbacks=callbacks, verbose=0)
    fifth = SLICES // 5
    early, late = np.median(watch.read[fifth : 2 * fifth]), np.median(watch.read[-fifth:])
    return {
        "steps": watch.steps,
        "checkpoints written": epochs + watch.steps // 100,
        "resident MB, read 20 times": watch.read,
        "MB, second fifth": round(float(early), 1),
        "MB, last fifth": round(float(late), 1),
        "growth, MB": round(float(late - early), 1),
        "seconds": round(time.time() - started, 1),
    }


def finished(file: Path) -> dict:
    return json.loads(file.read_text()) if file.exists() else {}


def table(results: dict) -> str:
    lines = ["| backend | kills survived | largest difference | growth over the steps |"]
    lines.append("|---|---|---|---|")
    for backend in BACKENDS:
        found = results.get(backend, {})
        killed, grown = found.get("kills"), found.get("memory")
        survived = difference = growth = "not measured"
        if killed:
            moments = killed["kills"]
            survived = f"{sum(moments.values())}, {moments['while saving']} of them while saving"
            difference = f"{killed['largest difference']:g}"
            difference += f" in {killed['arrays compared']} arrays, {killed['steps']} steps"
        if grown:
            growth = f"{grown['growth, MB']:+.1f} MB of {grown['MB, second fifth']:.0f}, "
            growth += f"{grown['steps']:,} steps, {grown['checkpoints written']} checkpoints"
        lines.append(f"| {backend} | {survived} | {difference} | {growth} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("kills", "memory"), help="default: both")
    parser.add_argument("--backend", choices=BACKENDS, help="default: all")
    parser.add_argument("--kills", type=int, default=50, help="over all chosen backends together")
    parser.add_argument("--steps", type=int, default=2000, help="of the memory's run, at least 20")
    parser.add_argument("--results", type=Path, default=RESULTS, help="a JSON file to add to")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kills < 1 or options.steps < SLICES:
        parser.error(f"--kills must be at least 1 and --steps at least {SLICES}")
    if options.here:
        found = kills(options.kills) if options.part == "kills" else memory(options.steps)
        results = finished(options.results)
        results.setdefault(options.backend, {})[options.part] = found
        options.results.parent.mkdir(exist_ok=True)
        options.results.write_text(json.dumps(results, indent=2) + "\n")
        return
    backends = [options.backend] if options.backend else list(BACKENDS)
    for part in [options.part] if options.part else ["kills", "memory"]:
        for index, backend in enumerate(backends):
            share = len(range(index, options.kills, len(backends)))
            command = [sys.executable, __file__, "--here", "--part", part, "--backend", backend]
            command += ["--kills", str(share), "--steps", str(options.steps)]
            command += ["--results", str(options.results)]
            environment = {**os.environ, "KERAS_BACKEND": backend}
            if subprocess.run(command, env=environment).returncode:
                sys.exit(f"{part} on {backend} has failed.")
            print(f"{part} on {backend} is done.", flush=True)
    print(table(finished(options.results)))


if __name__ == "__main__":
    main()
