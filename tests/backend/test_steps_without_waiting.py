"""A step on torch that does not wait for an accelerator does what one that waits does."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.backend import step

pytestmark = pytest.mark.only_on("torch")
OPTIMIZERS = {
    "selective": lambda: ks.training.SelectiveAdamW(1e-2, global_clipnorm=1.0, amsgrad=True),
    "averaged": lambda: keras.optimizers.AdamW(1e-2, use_ema=True, ema_overwrite_frequency=2),
    "accumulated": lambda: keras.optimizers.SGD(
        1e-2, momentum=0.9, gradient_accumulation_steps=2, use_ema=True
    ),
}


@pytest.fixture
def ahead(monkeypatch):
    """Let the step believe that an accelerator computes."""
    monkeypatch.setattr(step, "runs_ahead", lambda tensor: True)


def model_of(make_model, name):
    keras.utils.set_random_seed(0)
    model = make_model()
    model.compile(OPTIMIZERS[name]())
    return model


def state(model):
    counts = (model.step, model.skipped_steps)
    variables = [*model.variables, *model.optimizer.variables]
    kept = [each for each in variables if not any(each is count for count in counts)]
    return [np.array(ops.convert_to_numpy(each)) for each in kept]


def poisoned(images):
    bad = images.astype("float32")
    bad[3, 5, 7, 1] = np.nan
    return bad


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_that_is_not_finite_changes_no_bit(make_model, images, ahead, name):
    model = model_of(make_model, name)
    # An odd number, so that gradients are accumulated.
    for _ in range(3):
        model.train_on_batch(images)
    before = state(model)
    model.train_on_batch(poisoned(images))
    for old, new in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(old, new)
    assert int(ops.convert_to_numpy(model.skipped_steps)) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_a_step_that_waits(make_model, images, monkeypatch, name):
    models = []
    for waits in (True, False):
        monkeypatch.setattr(step, "runs_ahead", lambda tensor, waits=waits: not waits)
        models.append(model_of(make_model, name))
        for batch in (images, poisoned(images), images, images):
            models[-1].train_on_batch(batch)
    for waited, chosen in zip(*map(state, models), strict=True):
        np.testing.assert_array_equal(waited, chosen)


def test_a_step_asks_the_device_next_to_nothing(make_model, images, ahead):
    """Numbers that become tensors are copied to an accelerator, for which the host waits.

    What is left: the images, their scale and offset, the seed and the plan of the masks, all of
    them before the network runs, and Keras' count of updates behind it.
    """
    import torch

    asked = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), options=None):
            name = getattr(function, "__name__", "")
            made = name in ("as_tensor", "tensor", "from_numpy") and not torch.is_tensor(
                arguments[0]
            )
            if made or name in ("item", "tolist", "cpu", "numpy", "nonzero", "__bool__"):
                asked.append((name, str(arguments[0])[:40]))
            return function(*arguments, **(options or {}))

    model = model_of(make_model, "selective")
    schedule = ks.training.WarmupCosine(1e-3, 0.0, 2, 1e-5, 9)
    model.compile(ks.training.SelectiveAdamW(schedule, global_clipnorm=1.0))
    model.train_on_batch(images)
    batch = (torch.as_tensor(images),)
    with Watch():
        model.train_step(batch)
    assert len(asked) <= 6, asked
