"""A `fit` that ends with an error, or by the user's hand, leaves the model as it was last."""

import keras
import numpy as np
import pytest
from keras import ops

pytestmark = pytest.mark.fast_on("torch", "jax")


class Interrupted(keras.callbacks.Callback):
    """Stops the run in the third step, as Ctrl-C does, and keeps the weights that it saw."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_fit_leaves_the_weights_of_its_last_step(make_model, images):
    model, other = make_model(), make_model()
    for each in (model, other):
        each.compile(keras.optimizers.AdamW(1e-3))
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, batch_size=2, shuffle=False, verbose=0, callbacks=[Interrupted()])
    other.fit(images[:4], batch_size=2, shuffle=False, verbose=0)
    assert int(ops.convert_to_numpy(model.step)) == 2
    variables = (each.variables + each.optimizer.variables for each in (model, other))
    for mine, its in zip(*variables, strict=True):
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (mine, its)), rtol=1e-6)
    # And it goes on.
    model.fit(images, batch_size=2, shuffle=False, verbose=0)
    assert model.embed(images).shape == (8, 16)
