"""Layers of one's own: those in a module are exported, others are refused with the reason."""

import keras
import numpy as np
import pytest
from layer_of_ones_own import Halve

import keras_simmim as ks
from keras_simmim.export.fresh_process import custom_classes


def backbone(layer):
    images = keras.Input((8, 12, 3))
    features = layer(keras.layers.Conv2D(6, 3, 2)(images))
    return ks.backbones.from_keras(keras.Model(images, features))


@pytest.mark.long
@pytest.mark.usefixtures("tensorflow_process")
def test_a_layer_in_a_module_is_exported(tmp_path):
    model = backbone(Halve())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), dtype="uint8")
    expected = model.predict((pixels - np.float32(9)) / 50, verbose=0).mean((1, 2))
    path = ks.export.export_saved_model(model, tmp_path / "m", mean=9, std=50)
    answer = ks.export.ServedModel(path).predict(images=pixels)
    np.testing.assert_allclose(answer["embedding"], expected, atol=1e-4)


def test_only_classes_that_others_can_import_leave_the_process():
    class Local(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    assert custom_classes(backbone(keras.layers.ReLU())) == []
    assert custom_classes(backbone(Halve())) == ["layer_of_ones_own:Halve"]
    with pytest.raises(ValueError, match="Local, which only this process knows"):
        custom_classes(backbone(Local()))
