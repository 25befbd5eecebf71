"""Objectives in models that are trained, saved and refused."""

import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

# Many steps to compile; what they compute is compared on every backend in test_objectives.py.
pytestmark = pytest.mark.fast_on("torch")

o = ks.objectives
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 8, 12, 3), dtype="uint8")
CROPS = np.stack([IMAGES, IMAGES[:, :, ::-1]], axis=1)


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def make(objectives, views=1, masking=None, **options):
    backbone = ks.backbones.ViT((8, 12, 3), 4, num_layers=1, num_heads=2, hidden_dim=8)
    masking = masking or ks.masking.SpatialMasking(0.5, 1, views=views)
    return ks.SimMIM(backbone, masking, objectives=objectives, **options)


def test_patches_are_put_in_order():
    """Images whose patches tell their places: the jigsaw is solved, and only with training."""
    places = np.arange(6).reshape(2, 3).repeat(4, 0).repeat(4, 1) * 50
    images = np.broadcast_to(places[None, :, :, None], (16, 8, 12, 3)).astype("uint8")
    model = make([o.Jigsaw(share=1.0)])
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(images, batch_size=16, epochs=30, verbose=0).history
    assert history["jigsaw_accuracy"][0] < 0.5
    assert history["jigsaw_accuracy"][-1] > 0.75


APART = ks.masking.MaskGenerator(
    [ks.masking.Spatial(), ks.masking.Color(), ks.masking.Texture()],
    ks.masking.RandomDraw(),
    ks.masking.IndependentViews(0.5, 3, apart=True),
    block_size=4,
)
TOGETHER = {
    "targets": ([o.Reconstruction("low_pass_pixels"), o.Uniformity()], {}),
    "views": (
        [o.Reconstruction("normalized_pixels"), o.Agreement("infonce")],
        {"views": 2, "encode": "visible"},
    ),
    "views that lost different modalities": (
        [o.Reconstruction(), o.Agreement("infonce")],
        {"masking": APART, "mask_on": "pixels"},
    ),
    "everything": (
        [o.Reconstruction(), o.Uniformity(), o.Agreement(between="crops"), o.Jigsaw()],
        {"views": 2, "encode": "visible"},
    ),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_objectives_teach_together_and_come_back(name, tmp_path):
    objectives, options = TOGETHER[name]
    data = CROPS if name == "everything" else IMAGES
    model = make(objectives, **options)
    weights = sum(objective.weight for objective in model.objectives)
    assert weights > 0
    model.compile(keras.optimizers.Adam(1e-3))
    logs = model.train_on_batch(data, return_dict=True)
    losses = [each.weight * logs[f"{each.name}_loss"] for each in model.objectives]
    assert float(logs["loss"]) == pytest.approx(float(sum(losses)), rel=1e-4)
    assert float(logs["skipped_steps"]) == 0
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    configs = [json.dumps(each.get_config()["objectives"]) for each in (model, loaded)]
    assert configs[0] == configs[1]
    for saved, own in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(numbers(saved), numbers(own))
    logs, again = (x.train_on_batch(data, return_dict=True) for x in (model, loaded))
    assert float(logs["loss"]) == pytest.approx(float(again["loss"]), rel=1e-5)


def test_gradients_are_finite_in_bfloat16():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        objectives = [o.Reconstruction("normalized_pixels"), o.Uniformity(), o.Jigsaw()]
        objectives += [o.Agreement(), o.Agreement("infonce", "crops", name="contrast")]
        model = make(objectives, views=2)
        model.compile(keras.optimizers.Adam(1e-3))
        for data in (CROPS, np.zeros_like(CROPS)):
            logs = model.train_on_batch(data, return_dict=True)
            assert float(logs["skipped_steps"]) == 0
            assert all(np.isfinite(float(value)) for value in logs.values())
    finally:
        keras.config.set_dtype_policy(policy)


def test_each_model_has_objectives_of_its_own():
    (objective,) = make([o.Uniformity()]).objectives
    with pytest.raises(ValueError, match="must be new ones for each model, got the Uniformity of"):
        make([objective])


def test_accumulated_gradients_are_the_mean_of_those_of_each_batch():
    """Statistics of a batch are those of each micro-batch, and batch norms follow every one."""
    objectives = [o.Reconstruction("normalized_pixels"), o.Jigsaw(), o.Agreement("infonce")]
    model = make(objectives, views=2)
    model.compile(keras.optimizers.SGD(1.0, gradient_accumulation_steps=2))
    norm = model.objectives[-1].projector.norms[0].moving_mean
    before, means, single = model.get_weights(), [], []
    for half in (IMAGES[:4], IMAGES[4:]):
        model.train_on_batch(half)
        means.append(numbers(norm).copy())
    assert not np.array_equal(*means)
    after = [numbers(weight) for weight in model.trainable_weights]
    model.compile(keras.optimizers.SGD(1.0))
    for step, half in enumerate((IMAGES[:4], IMAGES[4:])):
        model.set_weights(before)
        model.step.assign(step)
        model.train_on_batch(half)
        single.append([numbers(weight) for weight in model.trainable_weights])
    for found, one, other in zip(after, *single, strict=True):
        np.testing.assert_allclose(found, (one + other) / 2, atol=2e-4, rtol=1e-3)


def test_statistics_leave_out_images_that_count_nothing():
    """Seven images with weights, beside one that counts nothing, are as seven images."""
    model = make([o.Uniformity(1.0), o.Agreement("infonce")], views=2)
    weights = np.array([1, 1, 1, 1, 1, 1, 1, 0], "float32")
    model.compile(keras.optimizers.SGD(0.0))
    with_eighth = model.train_on_batch(IMAGES, sample_weight=weights, return_dict=True)
    model.step.assign(0)
    other = IMAGES.copy()
    other[7] = 0
    without = model.train_on_batch(other, sample_weight=weights, return_dict=True)
    for name in ("uniformity_loss", "agreement_loss"):
        assert float(with_eighth[name]) == pytest.approx(float(without[name]), rel=1e-4)


def test_batch_norms_stay_in_a_skipped_step():
    model = make([o.Agreement()], views=2)
    model.compile(keras.optimizers.Adam(1e-3))
    norm = model.objectives[0].projector.norms[0]
    model.train_on_batch(IMAGES)
    before = numbers(norm.moving_mean).copy()
    bad = IMAGES.astype("float32")
    bad[0] = np.nan
    logs = model.train_on_batch(bad, return_dict=True)
    assert float(logs["skipped_steps"]) == 1
    np.testing.assert_array_equal(numbers(norm.moving_mean), before)
    model.train_on_batch(IMAGES)
    assert not np.array_equal(numbers(norm.moving_mean), before)


def test_the_model_draws_crops_of_whole_images(tmp_path):
    crops = ks.training.Crops(2, scale=(0.3, 0.8), color_jitter=0.4, gray=0.5, blur=0.5)
    model = make([o.Agreement(between="crops")], crops=crops)
    model.compile(keras.optimizers.Adam(1e-3))
    logs = model.fit(IMAGES, batch_size=4, verbose=0).history
    assert np.isfinite(logs["agreement_loss"]).all()
    copy = ks.SimMIM.from_config(model.get_config())
    assert copy.crops.get_config() == model.crops.get_config()
    assert model.embed(IMAGES).shape == (8, 8)


def test_too_few_crops_and_images_are_refused():
    model = make([o.Agreement(between="crops"), o.Uniformity()])
    model.compile("adam")
    with pytest.raises(
        ValueError, match=r"compares 2 crops of an image, got batches of 1: .*crops=2"
    ):
        model.fit(IMAGES, batch_size=4, verbose=0)
    with pytest.raises(ValueError, match=r"Agreement, Uniformity .* at least 2, got 1"):
        model.fit(CROPS, batch_size=1, verbose=0)
    # What is left over at the end of an epoch may be one image.
    model.fit(CROPS[:5], batch_size=4, verbose=0)
    # Held-out images are no crops; what needs two is not measured on them.
    logs = model.evaluate(IMAGES, verbose=0, return_dict=True)
    assert np.isnan(logs.get("agreement_loss", np.nan))
    assert "uniformity_loss" in logs
