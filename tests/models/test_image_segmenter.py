"""ImageSegmenter: what it computes, what it learns from, what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import jaccard_score

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")


def images_and_masks(count=8, size=(16, 24), channels=3):
    """Make dark images with a bright rectangle of class 1, and a border that is ignored."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, (count, *size, channels), dtype="uint8")
    masks = np.zeros((count, *size), "uint8")
    for image, mask in zip(images, masks, strict=True):
        top, left = generator.integers(2, 6, 2)
        image[top : top + 8, left : left + 10] += 150
        mask[top : top + 8, left : left + 10] = 1
    masks[:, 0] = 255
    return images, masks


def vit(size=(16, 24), channels=3):
    return ks.backbones.ViT((*size, channels), 8, num_layers=1, num_heads=2, hidden_dim=16)


def segmenter(backbone=None, **options):
    keras.utils.set_random_seed(0)
    model = ks.ImageSegmenter(
        backbone or vit(), 2, **{"decoder": "fcn", "neck_width": 8, **options}
    )
    model.compile(keras.optimizers.AdamW(3e-3))
    return model


@pytest.fixture(scope="module")
def trained():
    images, masks = images_and_masks()
    model = segmenter()
    history = model.fit(images, masks, epochs=12, batch_size=8, verbose=0).history
    return model, history


def test_it_learns_and_says_how_well(trained):
    model, history = trained
    images, masks = images_and_masks()
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    found = model.segment(images)
    assert found.shape == masks.shape
    counted = masks < 255
    values = model.evaluate(images, masks, return_dict=True, verbose=0)
    accuracy = (found == masks)[counted].mean()
    overlap = jaccard_score(masks[counted], found[counted], average="macro")
    np.testing.assert_allclose(values["pixel_accuracy"], accuracy, rtol=1e-5)
    np.testing.assert_allclose(values["mean_iou"], overlap, rtol=1e-5)
    probabilities = model.predict(images, verbose=0)
    np.testing.assert_array_equal(probabilities.argmax(-1), found)
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)


def test_the_loss_is_the_entropy_and_the_overlap_of_the_pixels_that_count():
    images, masks = images_and_masks(3)
    model = segmenter(dice_weight=0.5)
    probabilities = model.predict(images, verbose=0).astype("float64")
    weights = np.array([1.0, 0.0, 2.0])
    counts = (masks < 255) * weights[:, None, None]
    truth = np.eye(2)[np.where(masks < 255, masks, 0)]
    entropy = -(np.log(probabilities) * truth).sum(-1)
    both = (probabilities * truth * counts[..., None]).sum((0, 1, 2))
    either = ((probabilities + truth) * counts[..., None]).sum((0, 1, 2))
    expected = (entropy * counts).sum() / counts.sum() + 0.5 * (1 - 2 * both / either).mean()
    found = model.evaluate(images, masks, sample_weight=weights, return_dict=True, verbose=0)
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-4)


def loss(model, images, masks, training):
    measured = model.compute_losses((ops.array(images), ops.array(masks)), training=training)
    return float(ops.stop_gradient(measured.losses["loss"][0]))


def test_an_image_that_is_ignored_changes_nothing():
    images, masks = images_and_masks(4)
    model = segmenter()
    masks[3] = 255
    before = loss(model, images, masks, False)
    images[3] = 255
    assert loss(model, images, masks, False) == before


def test_a_number_that_is_no_class_makes_the_loss_no_number():
    images, masks = images_and_masks(2)
    masks = masks.astype("int32")
    masks[0, 5, 5] = 7
    for augmentation in (None, ks.training.JointCrops((0.5, 0.5))):
        model = segmenter(augmentation=augmentation)
        assert np.isnan(loss(model, images, masks, True))


def test_images_and_masks_are_augmented_alike():
    images, masks = images_and_masks()
    crops = ks.training.JointCrops((0.6, 1.0), seed=3)
    keras.utils.set_random_seed(0)
    with_crops = segmenter(augmentation=crops)
    without = segmenter()
    without.set_weights(with_crops.get_weights())
    record = crops({"images": ops.array(images), "masks": ops.array(masks)}, step=0)
    expected = loss(without, record["images"], record["masks"], False)
    np.testing.assert_allclose(loss(with_crops, images, masks, True), expected, rtol=1e-4)


def test_saved_and_loaded_it_is_the_same(trained, tmp_path):
    model, _ = trained
    images, _ = images_and_masks(2)
    model.save(tmp_path / "segmenter.keras")
    loaded = keras.saving.load_model(tmp_path / "segmenter.keras")
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.turned(2)
@pytest.mark.parametrize("decoder", ["fcn", "unet"])
def test_any_backbone(decoder):
    size = (32, 48)
    images = keras.Input((*size, 1))
    maps = keras.layers.Conv2D(4, 3, 2, padding="same")(images)
    network = keras.Model(images, keras.layers.Conv2D(8, 3, 2, padding="same")(maps))
    sizes = {"hidden_dim": 4, "depths": (1, 1), "num_heads": (1, 1), "window_size": 4}
    for backbone in (
        ks.backbones.Swin((*size, 2), **sizes),
        ks.backbones.ConvNet((*size, 1), (4,)),
        ks.backbones.from_keras(network),
    ):
        channels = backbone.image_shape[-1]
        data, masks = images_and_masks(2, size, channels)
        model = segmenter(backbone, decoder=decoder)
        values = model.train_on_batch(data, masks, return_dict=True)
        assert np.isfinite(float(values["loss"]))
        assert model.segment(data).shape == masks.shape


def test_a_recipe_freezes_and_rates_by_layer():
    images, masks = images_and_masks()
    pretrained = ks.SimMIM(
        ks.backbones.ViT((16, 24, 3), 8, num_layers=3, num_heads=2, hidden_dim=16),
        ks.masking.SpatialMasking(block_size=1),
        mean=50.0,
        std=60.0,
    )
    model = ks.ImageSegmenter.from_pretrained(
        pretrained,
        2,
        decoder="fcn",
        neck_width=8,
        frozen=2,
        recipe="auto",
        class_names=["ground", "box"],
    )
    before = pretrained.backbone.get_weights()
    names = [w.path for w in model.backbone.trainable_variables]
    assert {model.depth_of(w) for w in model.backbone.trainable_variables} == {3}, names
    model.fit(images, masks, epochs=2, batch_size=4, verbose=0)
    # Four times the classifiers' rate: there is more that is new.
    rate = model.optimizer._learning_rate.base_rate
    np.testing.assert_allclose(rate, 5e-3 * (4 / 512) ** 0.5)
    assert model.mean == (50.0,) * 3
    for one, other in zip(before, pretrained.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m[:, :8], r"y must be integers \(N, 16, 24\).*got uint8 of shape \(2, 8, 24\)"),
        (lambda m: m + 1, r"from 0 to 1 with num_classes=2, or 255.*got \[2\]"),
        (lambda m: m.astype("float32"), "y must be integers, got float32"),
        (lambda m: np.full_like(m, 255), "y must have a pixel of a class, got 255"),
    ],
)
def test_masks_that_do_not_suit_are_refused(change, message):
    images, masks = images_and_masks(2)
    masks[masks == 255] = 0
    with pytest.raises(ValueError, match=message):
        segmenter().fit(images, change(masks), verbose=0)


def test_arguments_that_do_not_suit_are_refused():
    with pytest.raises(ValueError, match=r"decoder must be one of \['fcn', 'unet'\]"):
        ks.ImageSegmenter(vit(), 2, decoder="deeplab")
    with pytest.raises(ValueError, match="frozen must be a bool or a number of blocks from 0 to 1"):
        ks.ImageSegmenter(vit(), 2, frozen=2)
    with pytest.raises(ValueError, match=r"augmentation must be a ks\.training.JointCrops"):
        ks.ImageSegmenter(vit(), 2, augmentation=ks.training.Crops())
    with pytest.raises(ValueError, match="fit and evaluate need masks, got images alone"):
        segmenter().evaluate(images_and_masks(2)[0], verbose=0)


@pytest.mark.turned(2)
@pytest.mark.long
@pytest.mark.parametrize("kind", ["segmenter", "detector"])
def test_a_resumed_run_repeats_the_uninterrupted_one(kind, tmp_path):
    images, masks = images_and_masks()
    targets, crops = masks, ks.training.JointCrops((0.6, 1.0), seed=3)
    if kind == "detector":
        boxes = np.tile(np.float32([[4, 4, 14, 12]]), (8, 1, 1))
        targets = {"boxes": boxes, "labels": np.zeros((8, 1), "int32")}
    weights = []
    for interrupted in (False, True):
        keras.utils.set_random_seed(0)
        if kind == "segmenter":
            model = segmenter(augmentation=crops)
        else:
            model = ks.YOLO(vit(), 1, augmentation=crops, neck_width=8, head_width=8)
            model.compile(keras.optimizers.AdamW(1e-3))
        options = {"batch_size": 4, "shuffle": False, "verbose": 0}
        if interrupted:
            checkpoint = ks.training.callbacks.Checkpoint(tmp_path)
            model.fit(images, targets, epochs=1, callbacks=[checkpoint], **options)
            resumed = ks.training.resume(tmp_path)
            model = resumed.model
            options["initial_epoch"] = resumed.epoch
        model.fit(images, targets, epochs=2, **options)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
