"""A process that trains on shards, or texts, is killed twice, and ends as one nobody killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

# Behind `make_model` and `make_data`. The arguments are the run's folder and the step at whose end
# the process is killed.
SCRIPT = """
import os, signal, sys
import keras
import numpy as np
import keras_simmim as ks

folder, steps = sys.argv[1], int(sys.argv[2])
run = ks.training.resume(f"{folder}/checkpoints")
if run is None:
    keras.utils.set_random_seed(0)
    model = make_model()
    model.compile(keras.optimizers.AdamW(1e-2))
else:
    model = run.model
epoch, batch = (run.epoch, run.batch) if run else (0, 0)
dataset = make_data(seed=3, epoch=epoch, first_batch=batch)

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == steps:
            os.kill(os.getpid(), signal.SIGKILL)

callbacks = [
    ks.training.callbacks.StepLosses(f"{folder}/losses.csv"),
    ks.training.callbacks.Checkpoint(f"{folder}/checkpoints", every=2),
    Kill(),
]
model.fit(dataset, epochs=3, initial_epoch=epoch, callbacks=callbacks, verbose=0)
values = [*model.variables, *model.optimizer.variables]
np.savez(f"{folder}/variables.npz", *[keras.ops.convert_to_numpy(value) for value in values])
"""


SHARDS = """
def make_model():
    backbone = ks.backbones.ViT((16, 24, 3), 8, 1, 2, 8, drop_path_rate=0.3)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))

def make_data(**place):
    return ks.data.from_webdataset("shards/*.tar", (16, 24), 4, cache_dir="cache", **place)
"""

TEXTS = """
def make_model():
    backbone = ks.backbones.SequenceTransformer(270, 16, 1, 2, 8, drop_path_rate=0.3)
    masks = ks.masking.SpatialMasking(0.4, 2, kept=0.1, swapped=0.1)
    return ks.SimMIM(backbone, masks, tokenizer=ks.data.Tokenizer.load("tokenizer.json"))

def make_data(**place):
    tokenizer = ks.data.Tokenizer.load("tokenizer.json")
    return ks.data.texts("texts", tokenizer, labels=None, length=16, batch_size=4, **place)
"""


def write_shards(folder):
    generator = np.random.default_rng(0)
    for number in range(22):
        place = folder / "images" / "ab"[number % 2] / f"{number:02}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(place, generator.integers(0, 256, (40 + number, 50, 3)), scale=False)
    ks.data.write_shards(folder / "images", folder / "shards", 32, images_per_shard=5)
    # One image is broken afterwards: what takes its place is the same, too.
    shard = folder / "shards" / "shard-00001.tar"
    content = shard.read_bytes()
    start = content.index(b"\xff\xd8\xff")
    shard.write_bytes(content[:start] + b"broken" + content[start + 6 :])


def write_texts(folder):
    words = ["so", "good", "bad", "long", "a", "film", "twice"]
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, 1 + number % 9)) for number in range(20)]
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number:02}.txt").write_text(text)
    ks.data.train_tokenizer(texts, vocabulary_size=270).save(folder / "tokenizer.json")


@pytest.mark.parametrize(
    ("write", "parts"), [(write_shards, SHARDS), (write_texts, TEXTS)], ids=["shards", "texts"]
)
def test_a_killed_run_goes_on_to_the_last_bit(write, parts, tmp_path):
    write(tmp_path)

    def train(folder, steps):
        environment = os.environ | {"PYTHONPATH": str(Path(ks.__file__).parents[1])}
        command = [sys.executable, "-c", parts + SCRIPT, folder, str(steps)]
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        (tmp_path / folder).mkdir(exist_ok=True)
        return subprocess.run(command, **options)

    whole = train("whole", -1)
    assert whole.returncode == 0, whole.stderr
    # In the first epoch of five batches, and behind the first batch of the third.
    killed = [train("killed", steps) for steps in (3, 11, -1)]
    codes = [process.returncode for process in killed]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0], killed[-1].stderr
    first, second = (np.load(tmp_path / name / "variables.npz") for name in ("whole", "killed"))
    assert len(first) > 20
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    losses = [(tmp_path / name / "losses.csv").read_text() for name in ("whole", "killed")]
    assert losses[0] == losses[1]
    assert len(losses[0].splitlines()) == 1 + 3 * 5
