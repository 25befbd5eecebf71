"""Faster R-CNN: two looks at an image, trained together."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.objectives.proposal_losses import proposal_losses
from keras_simmim.objectives.region_losses import region_losses, sample_regions

# Compiled, these take minutes: on TensorFlow test_dense_everywhere.py stands for them.
pytestmark = [pytest.mark.fast_on("torch"), pytest.mark.only_on("jax", "torch")]

SMALL = {"neck_width": 8, "head_width": 8, "region_size": 3, "proposals": 12}
NAMES = ["objectness_loss", "proposal_loss", "class_loss", "box_loss"]


def vit(size=(32, 48, 3)):
    return ks.backbones.ViT(size, 8, num_layers=1, num_heads=2, hidden_dim=8)


def detector(backbone=None, num_classes=2, **options):
    keras.utils.set_random_seed(0)
    return ks.FasterRCNN(backbone or vit(), num_classes, **{**SMALL, **options})


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3)).astype("uint8")


@pytest.fixture
def truth():
    boxes = np.float32(
        [[[2, 4, 20, 22], [24, 6, 46, 30]], [[8, 8, 24, 20], [0] * 4], [[0] * 4] * 2]
    )
    return {"boxes": boxes, "labels": np.int32([[0, 1], [1, -1], [-1, -1]])}


def losses(model, images, truth, weights=None):
    data = (images, truth) if weights is None else (images, truth, weights)
    measured = model.compute_losses(keras.tree.map_structure(ops.convert_to_tensor, data), True)
    return {name: float(ops.convert_to_numpy(loss)) for name, (loss, _) in measured.losses.items()}


def test_losses_are_those_of_both_looks_over_the_samples(images, truth):
    model = detector()
    boxes, labels = ops.array(truth["boxes"]), ops.array(truth["labels"])
    features = model.features(images)
    levels = model.levels(features)
    objectness, offsets = model.rpn_head(levels)
    expected = proposal_losses(objectness, offsets, model.anchors, boxes, labels, 0)
    regions = sample_regions(
        *model.proposals(objectness, offsets, model.anchors), boxes, labels, step=0
    )
    expected |= region_losses(*model.box_head(levels, regions.boxes), regions)
    found = losses(model, images, truth)
    assert list(found) == ["loss", *NAMES]
    for name, pair in expected.items():
        lost, sizes = (ops.convert_to_numpy(each).sum() for each in pair)
        assert found[name] == pytest.approx(lost / sizes, rel=1e-4), name
    assert found["loss"] == pytest.approx(sum(found[name] for name in NAMES), rel=1e-5)
    # Nothing is known at first: objects are as likely as not, and so is each of three classes.
    assert found["objectness_loss"] == pytest.approx(np.log(2), abs=0.1)
    assert found["class_loss"] == pytest.approx(np.log(3), abs=0.1)


def test_rows_of_padding_and_ignored_boxes_beside_all_regions_change_nothing(images, truth):
    model = detector()
    expected = losses(model, images, truth)
    more = {
        "boxes": np.pad(truth["boxes"], ((0, 0), (0, 2), (0, 0))),
        "labels": np.pad(truth["labels"], ((0, 0), (0, 2)), constant_values=-1),
    }
    assert losses(model, images, more) == pytest.approx(expected, rel=1e-5)
    more["boxes"][:, 2:] = [0, 0, 0.5, 0.5]
    more["labels"][:, 2:] = -2
    assert losses(model, images, more) == pytest.approx(expected, rel=1e-5)


def test_what_lies_in_an_ignored_box_is_no_negative(images):
    model = detector()
    ignored = {"boxes": np.float32([[[0, 0, 48, 32]]] * 3), "labels": np.int32([[-2]] * 3)}
    found = losses(model, images, ignored)
    # Anchors that lie mostly outside the image do not lie in the box.
    assert found["objectness_loss"] > 0
    assert found["proposal_loss"] == found["class_loss"] == found["box_loss"] == 0


def test_images_without_boxes_teach_that_there_is_nothing(images, truth):
    model = detector()
    nothing = {"boxes": truth["boxes"] * 0, "labels": np.full((3, 2), -1, "int32")}
    found = losses(model, images, nothing)
    assert found["proposal_loss"] == found["box_loss"] == 0
    assert found["objectness_loss"] > 0.1
    assert found["class_loss"] > 0.1


def test_images_of_weight_0_count_nothing(images, truth):
    model = detector()
    first = {name: each[:2] for name, each in truth.items()}
    expected = losses(model, images[:2], first)
    found = losses(model, images, truth, np.float32([1, 1, 0]))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("row", "value"), [("labels", 2), ("boxes", [20, 4, 2, 22])])
def test_wrong_truth_makes_the_loss_no_number(images, truth, row, value):
    truth[row][0, 0] = value
    assert np.isnan(losses(detector(), images, truth)["loss"])


def backbones():
    swin = ks.backbones.Swin((32, 48, 1), 4, 8, (1, 1), (1, 2), window_size=2)
    network = keras.applications.MobileNetV2((64, 96, 3), 0.35, include_top=False, weights=None)
    return {
        "vit": vit,
        "swin": lambda: swin,
        "convnet": lambda: ks.backbones.ConvNet((26, 38, 3), (4, 8, 8)),
        "keras": lambda: ks.backbones.from_keras(network),
    }


@pytest.mark.turned(2)
@pytest.mark.parametrize("kind", ["vit", "swin", "convnet", "keras"])
def test_any_backbone_detects(kind):
    backbone = backbones()[kind]()
    height, width, channels = backbone.image_shape
    model = detector(backbone, 1, max_detections=7)
    assert len(model.anchors) == 3 * sum(h * w for _, h, w, _ in model.level_shapes)
    images = np.random.default_rng(1).integers(0, 256, (2, height, width, channels), "uint8")
    boxes, scores = model.candidates(model.features(images))
    assert tuple(boxes.shape) == (2, 12, 4)
    assert tuple(scores.shape) == (2, 12, 1)
    found = model.predict(images, verbose=0)
    assert found["boxes"].shape == (2, 7, 4)
    assert found["labels"].dtype == "int32"
    assert (found["boxes"] >= 0).all()
    assert (found["boxes"] <= [width, height, width, height]).all()
    scores = ops.convert_to_numpy(scores)
    assert ((scores > 0) & (scores < 1)).any(axis=1).all()


@pytest.mark.long
def test_a_saved_detector_takes_the_step_that_it_would_have_taken(images, truth, tmp_path):
    options = {
        "anchor_scale": 3.0,
        "proposals": 9,
        "region_size": 2,
        "head_width": 6,
        "max_detections": 5,
        "seed": 4,
    }
    model = detector(class_names=["one", "other"], **options)
    model.compile(keras.optimizers.AdamW(1e-2))
    logs = model.fit(images, truth, batch_size=3, verbose=0).history
    assert set(NAMES) < set(logs)
    assert logs["skipped_steps"] == [0]
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert {name: copy.get_config()[name] for name in options} == options
    assert copy.class_names == ["one", "other"]
    for one, other in zip(model.detect(images, 0.0), copy.detect(list(images), 0.0), strict=True):
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-3)
    fit = {"batch_size": 3, "shuffle": False, "verbose": 0}
    expected = model.fit(images, truth, **fit).history
    assert copy.fit(images, truth, **fit).history == {
        name: pytest.approx(values, rel=1e-3) for name, values in expected.items()
    }


def test_raw_outputs_are_of_the_best_regions_and_hold_those_that_are_kept(images):
    model = detector()
    features = model.features(images)
    raw = {name: ops.convert_to_numpy(each) for name, each in model.raw_outputs(features).items()}
    assert set(raw) == {"candidates", "candidate_scores"}
    assert raw["candidates"].shape == (3, 48, 4)
    assert raw["candidate_scores"].shape == (3, 48, 2)
    for image, boxes in enumerate(ops.convert_to_numpy(model.candidates(features)[0])):
        distances = np.abs(boxes[:, None] - raw["candidates"][image]).max(-1).min(-1)
        assert distances.max() < 1e-3


@pytest.mark.long
def test_half_precision_trains(images, truth):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = detector()
        model.compile("adamw")
        logs = model.fit(images, truth, batch_size=3, epochs=2, verbose=0).history
        assert np.isfinite(logs["loss"]).all()
        assert model.predict(images, verbose=0)["boxes"].dtype == "float32"
    finally:
        keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize(
    "given", [{"anchor_scale": 0}, {"proposals": 0}, {"region_size": 1.5}, {"head_width": 0}]
)
def test_bad_arguments(given):
    with pytest.raises(ValueError, match=f"{'|'.join([*given, 'width'])} must be"):
        detector(**given)
