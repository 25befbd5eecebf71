"""Segmenters and detectors on backbones of keras-cv and of KerasHub."""

import warnings

import keras
import numpy as np
import pytest
from shapes_to_find import shapes_to_find

import keras_simmim as ks

pytestmark = pytest.mark.long

SHAPE = (64, 64, 3)


def csp_dark_net():
    from keras_cv.models import CSPDarkNetBackbone

    return CSPDarkNetBackbone(
        stackwise_channels=[4, 8, 8, 8],
        stackwise_depth=[1, 1, 1, 1],
        include_rescaling=False,
        input_shape=SHAPE,
    )


def res_net():
    import keras_hub

    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        use_pre_activation=True,
        image_shape=SHAPE,
    )


@pytest.mark.turned(2)
@pytest.mark.parametrize(
    ("make", "strides"), [(csp_dark_net, [2, 4, 8, 16, 32]), (res_net, [2, 4, 8, 16])]
)
def test_they_learn_and_are_saved(make, strides, tmp_path):
    with warnings.catch_warnings():
        # Their dependencies' own deprecations.
        warnings.simplefilter("ignore")
        network = make()
    images, truth = shapes_to_find(4)
    masks = (images.mean(-1) > 125).astype("uint8")
    for kind, targets, options in (
        (ks.YOLO, truth, {"head_width": 8}),
        (ks.ImageSegmenter, masks, {"decoder": "fcn"}),
    ):
        backbone = ks.backbones.from_keras(network)
        assert [stride for stride, _ in backbone.stages] == strides
        model = kind(backbone, num_classes=2, neck_width=8, **options)
        model.compile(keras.optimizers.AdamW(1e-3))
        losses = model.fit(images, targets, batch_size=4, epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras").predict(images, verbose=0)
        expected = model.predict(images, verbose=0)
        for one, other in zip(*map(keras.tree.flatten, (again, expected)), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
