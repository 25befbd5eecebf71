"""Grain and torch's DataLoader train where TensorFlow is not installed, as docs/ shows."""

import re
from pathlib import Path

import pytest
from support.without_tensorflow import last_line

pytestmark = [pytest.mark.long, pytest.mark.only_on("jax", "torch"), pytest.mark.turned(2)]

PAGE = (Path(__file__).parents[2] / "docs" / "other-readers.md").read_text(encoding="utf-8")
# A run that went on, as the page says it, and the same run without the stop.
RESUMED = """
import keras

def built():
    keras.utils.set_random_seed(0)
    made = ks.SimMIM(backbone.copy(), ks.masking.SpatialMasking(block_size=2))
    made.compile("adamw")
    return made

def last_loss(trained, data, **options):
    options = {"steps_per_epoch": steps, "epochs": 3, "verbose": 0, **options}
    return trained.fit(data, **options).history["loss"][-1]

uninterrupted = last_loss(built(), batches)
saved = ks.training.callbacks.Checkpoint("stopped")
last_loss(built(), batches, epochs=2, callbacks=[saved])
run = ks.training.resume("stopped", whole_epochs=True)
resumed = last_loss(run.model, batches[run.epoch * steps :], initial_epoch=run.epoch)
print(uninterrupted == resumed, embeddings.shape)
"""


def test_the_page_runs_and_a_run_goes_on(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert last_line("\n".join([*blocks, RESUMED]), tmp_path) == "True (16, 16)"
