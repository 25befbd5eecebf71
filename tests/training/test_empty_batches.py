"""A batch without images counts nothing and spoils nothing."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")


def multimodal():
    """Running scales, learned masks and statistics of the batch."""
    backbone = ks.backbones.ViT((16, 24, 3), 4, 1, 2, 8, drop_path_rate=0.5)
    modalities = [ks.masking.Spatial(), ks.masking.Texture("low")]
    masking = ks.masking.MaskGenerator(modalities, ks.masking.LearnedDraw(), 0.5, block_size=2)
    classifier = ks.heads.ClassificationHead(2)
    return ks.SimMIM(backbone, masking, classifier=classifier, embedding_metrics=True)


def visible():
    backbone = ks.backbones.ViT((16, 24, 3), 4, 1, 2, 8)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 2), encode="visible")


def classifier():
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    return ks.ImageClassifier(backbone, 2, erasing=0.5, mixup=0.8, cutmix=1.0, color_jitter=0.4)


@pytest.mark.parametrize("make", [multimodal, visible, classifier])
def test_an_empty_batch_between_others(make, images):
    model, labels = make(), np.arange(8) % 2
    metrics = {"metrics": [keras.metrics.AUC(name="auc")]} if make is classifier else {}
    model.compile(keras.optimizers.SGD(1e-3), **metrics)
    model.train_on_batch(images, labels)
    kept = [ops.convert_to_numpy(variable) for variable in model.variables]
    logs = model.train_on_batch(images[:0], labels[:0], return_dict=True)
    assert np.isnan(float(ops.convert_to_numpy(logs["loss"])))
    for variable, before in zip(model.variables, kept, strict=True):
        # Whole numbers count steps and seed draws.
        if keras.backend.is_float_dtype(variable.dtype):
            np.testing.assert_array_equal(ops.convert_to_numpy(variable), before)
    # Nothing of it is in the means, nor in the running scales.
    logs = model.train_on_batch(images, labels, return_dict=True)
    assert all(np.isfinite(float(ops.convert_to_numpy(value))) for value in logs.values())
    assert int(ops.convert_to_numpy(model.skipped_steps)) == 0
    logs = model.test_on_batch(images[:0], labels[:0], return_dict=True)
    assert np.isnan(float(ops.convert_to_numpy(logs["loss"])))
