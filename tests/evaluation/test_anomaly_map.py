"""Maps of errors in what is hidden: every pixel once, the same in any batch."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.evaluation import anomaly_map
from keras_simmim.evaluation.hidden_errors import HiddenErrors

m = ks.masking


def vit(masking, **options):
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=8)
    return ks.SimMIM(backbone, masking, **options)


def swin(masking, **options):
    backbone = ks.backbones.Swin((16, 24, 3), 2, 8, depths=(1, 1), num_heads=(1, 2), window_size=4)
    return ks.SimMIM(backbone, masking, **options)


def convolutions(masking, **options):
    return ks.SimMIM(ks.backbones.ConvNet((16, 24, 3), filters=(4, 4)), masking, **options)


MODALITIES = [m.Spatial(), m.Color(), m.Texture()]
MODELS = {
    "features": lambda: vit(m.SpatialMasking(0.6, 1)),
    "visible": lambda: vit(m.SpatialMasking(0.75, 1), encode="visible"),
    "visible, views": lambda: vit(m.SpatialMasking(0.5, 1, views=2), encode="visible"),
    "pixels": lambda: vit(m.SpatialMasking(0.6, 8), mask_on="pixels"),
    "learned": lambda: vit(m.LearnedMasking(block_size=2)),
    "jigsaw": lambda: vit(
        m.SpatialMasking(0.6, 1),
        objectives=[ks.objectives.Reconstruction(), ks.objectives.Jigsaw()],
    ),
    "modalities": lambda: vit(m.IterativeMasking(MODALITIES, block_size=4), mask_on="pixels"),
    "swin": lambda: swin(m.SpatialMasking(0.6, 2)),
    "convolutions": lambda: convolutions(m.SpatialMasking(0.6, 8), mask_on="pixels"),
    "convolutions, visible": lambda: convolutions(
        m.SpatialMasking(0.6, 8), mask_on="pixels", encode="visible"
    ),
}


def expect(model, prediction):
    """Let a model predict some function of the pixels, in every view."""
    model.predicted_pixels = lambda found: ops.expand_dims(prediction(found.pixels), 1)
    return model


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("name", MODELS)
def test_every_pixel_is_covered_once(name, images):
    model = MODELS[name]()
    # The real path first: a prediction of the model.
    found = anomaly_map(model, images[:3], rounds=3, seed=2)
    assert found["maps"].shape == (3, 16, 24)
    assert found["maps"].dtype == found["scores"].dtype == "float32"
    assert found["maps"].min() > 0
    # One that is always wrong by 1, whose errors add up to 1 if each is counted once.
    if name != "modalities":
        wrong = anomaly_map(expect(model, lambda pixels: pixels + 1), images[:3], rounds=3)
        np.testing.assert_allclose(wrong["maps"], 1, atol=1e-5)


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("rounds", [2, 5])
def test_rounds_of_unequal_size_cover_every_pixel_once(rounds, images):
    wrong = expect(MODELS["visible"](), lambda pixels: pixels + 1)
    found = anomaly_map(wrong, images[:3], rounds)
    np.testing.assert_allclose(found["maps"], 1, atol=1e-5)
    np.testing.assert_allclose(found["scores"], 1, atol=1e-5)
    perfect = anomaly_map(expect(wrong, lambda pixels: pixels), images[:3], rounds)
    np.testing.assert_allclose(perfect["maps"], 0, atol=1e-5)


@pytest.mark.fast_on("torch")
def test_each_modality_hides_every_pixel_once(images):
    model = expect(MODELS["modalities"](), lambda pixels: pixels * 0)
    error = model.normalize(images[:2])
    # The error is the image itself: all of it, its color and its low frequencies.
    blocks = ops.reshape(error, (2, 1, 4, 4, 6, 4, 3))
    parts = [modality.project(blocks) for modality in MODALITIES]
    expected = sum(
        ops.convert_to_numpy(ops.abs(ops.reshape(part, (2, 16, 24, 3)))).mean(-1) for part in parts
    )
    found = anomaly_map(model, images[:2])["maps"]
    np.testing.assert_allclose(found, expected / 3, atol=1e-4)


def test_rounds_part_the_blocks(make_model, images):
    model = make_model()
    features = ops.zeros((3, 4, 6, 16))

    def hidden(seed):
        network = HiddenErrors(model, m.Spatial(), count=2, seed=seed)
        drawn = [network.generator.draw(features, first) for first in (0, 2, 4)]
        return np.stack([ops.convert_to_numpy(each) for each in drawn])

    rounds = hidden(1)
    np.testing.assert_array_equal(rounds.sum(axis=(2, 3, 4, 5)), 2)
    np.testing.assert_array_equal(rounds.sum(axis=0), 1)
    # The same for all images, others for another seed.
    np.testing.assert_array_equal(rounds[:, 0], rounds[:, 2])
    assert len({hidden(seed).tobytes() for seed in range(5)}) > 2


@pytest.mark.fast_on("torch")
def test_nothing_but_the_seed_and_the_image_matters(make_model, images):
    model = make_model()
    found = anomaly_map(model, images, rounds=3)
    again = anomaly_map(model, images.astype("float32"), rounds=3, batch_size=3)
    np.testing.assert_allclose(again["maps"], found["maps"], atol=1e-4)
    np.testing.assert_allclose(again["scores"], found["scores"], atol=1e-4)
    alone = anomaly_map(model, images[5:6], rounds=3)
    np.testing.assert_allclose(alone["maps"], found["maps"][5:6], atol=1e-4)
    assert np.abs(anomaly_map(model, images, rounds=3, seed=1)["maps"] - found["maps"]).max() > 0.01
    # Its own masks are as they were.
    assert model.mask_generator.views == 1


@pytest.mark.fast_on("torch")
def test_the_score_is_the_mean_of_the_largest_hundredth(images):
    # 384 pixels, of which 4 count. One wrong by 16 spreads by (1, 2, 1)/4 along both axes to
    # 4, four times 2 and four times 1.
    error = np.zeros((16, 24, 3), "float32")
    error[7, 7] = 16
    model = expect(
        vit(m.SpatialMasking(0.6, 1)), lambda pixels: pixels + ops.convert_to_tensor(error)
    )
    found = anomaly_map(model, images[:2])
    np.testing.assert_allclose(found["maps"], np.stack([error[..., 0]] * 2), atol=1e-4)
    np.testing.assert_allclose(found["scores"], (4 + 2 + 2 + 2) / 4, atol=1e-4)


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("precision", ["mixed_bfloat16"], indirect=True)
def test_pixels_stay_whole_in_half_precision(precision, make_model, images):
    model = expect(make_model(), lambda pixels: pixels)
    assert anomaly_map(model, images[:2], rounds=2)["maps"].max() < 1e-5


def test_what_does_not_fit_is_named(make_model, images):
    model = make_model(2, reconstruction_weight=0.0)
    with pytest.raises(ValueError, match="anomaly_map needs a model that predicts pixels"):
        anomaly_map(model, images)
    with pytest.raises(ValueError, match=r"predicts pixels: .* got ImageClassifier"):
        anomaly_map(ks.ImageClassifier(model.backbone, 2), images)
    model = make_model()
    for rounds in (1, 7):
        with pytest.raises(ValueError, match=f"rounds must be from 2 to the 6 .* got {rounds}"):
            anomaly_map(model, images, rounds)
    with pytest.raises(ValueError, match=r"images must be \(B, 16, 24, 3\), got \(8, 12, 24, 3\)"):
        anomaly_map(model, images[:, :12])
    with pytest.raises(ValueError, match="at least one, got none"):
        anomaly_map(model, images[:0])
    with pytest.raises(ValueError, match="seed must be an integer"):
        anomaly_map(model, images, seed=-1)


@pytest.mark.long
def test_a_model_that_has_learned_sees_what_is_strange():
    # Stripes, all alike; one image has a blot.
    images = np.zeros((16, 16, 24, 3), "uint8")
    images[:, :, ::2] = 200
    model = vit(m.SpatialMasking(0.6, 1))
    model.compile(keras.optimizers.AdamW(1e-2))
    for _ in range(40):
        model.train_on_batch(images)
    strange = images[:4].copy()
    strange[2, 4:8, 8:12] = 90
    found = anomaly_map(model, strange)
    assert found["scores"].argmax() == 2
    assert np.unravel_index(found["maps"][2].argmax(), (16, 24))[0] in range(4, 8)
