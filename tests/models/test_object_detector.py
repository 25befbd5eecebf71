"""What all detectors promise: what counts in the loss, what comes back, what is refused."""

import keras
import numpy as np
import pytest
from keras import ops
from shapes_to_find import shapes_to_find

import keras_simmim as ks

# Compiled, these take minutes: on JAX test_dense_everywhere.py stands for them.
pytestmark = [pytest.mark.fast_on("torch"), pytest.mark.only_on("tensorflow", "torch")]

KINDS = (ks.YOLO, ks.SSD)
WIDTHS = {"neck_width": 8, "head_width": 8}


def vit(shape=(32, 48, 3)):
    return ks.backbones.ViT(shape, 8, num_layers=1, num_heads=2, hidden_dim=8)


def small(kind=ks.YOLO, backbone=None, **options):
    keras.utils.set_random_seed(0)
    detector = kind(backbone or vit(), num_classes=2, **{**WIDTHS, **options})
    detector.compile(keras.optimizers.AdamW(1e-3))
    return detector


def data(count=4):
    """Images with a bright box each; one has two rows, one none that counts."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, (count, 32, 48, 3), dtype="uint8")
    boxes, labels = np.zeros((count, 2, 4), "float32"), np.full((count, 2), -1, "int32")
    for number in range(count - 1):
        left, top = generator.integers(2, 14, 2)
        images[number, top : top + 14, left : left + 18] = 250
        boxes[number, 0] = left, top, left + 18, top + 14
        labels[number, 0] = number % 2
    boxes[0, 1], labels[0, 1] = (30, 2, 44, 14), 1
    return images, {"boxes": boxes, "labels": labels}


def losses(detector, images, truth, *weights, training=False):
    parts = (images, truth, *weights)
    measured = detector.compute_losses(keras.tree.map_structure(ops.array, parts), training)
    return {n: float(ops.convert_to_numpy(value)) for n, (value, _) in measured.losses.items()}


def tiny_convolutions(shape):
    """A network of another library with maps of a fourth and an eighth of the image."""
    images = keras.Input(shape)
    fine = keras.layers.Conv2D(4, 4, 4, name="fine")(images)
    return ks.backbones.from_keras(
        keras.Model(images, keras.layers.Conv2D(6, 2, 2, name="coarse")(fine))
    )


BACKBONES = {
    "vit": (vit, [4, 8, 16, 32]),
    "swin": (
        lambda shape: ks.backbones.Swin(
            shape, 4, hidden_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4
        ),
        [4, 8, 16],
    ),
    "from_keras": (tiny_convolutions, None),
}


@pytest.mark.turned(2)
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("shape", [(32, 48, 3), (40, 24, 1)])
def test_every_backbone_gives_boxes_in_the_image(kind, name, shape):
    make, strides = BACKBONES[name]
    detector = small(kind, make(shape), max_detections=7)
    assert strides is None or detector.level_strides == strides
    assert len(detector.level_strides) >= 3
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype="uint8")
    found = detector.predict(images, verbose=0)
    assert found["boxes"].shape == (2, 7, 4)
    assert found["scores"].shape == found["labels"].shape == (2, 7)
    assert (found["labels"].dtype, found["boxes"].dtype) == ("int32", "float32")
    height, width, _ = shape
    assert (found["boxes"] >= 0).all()
    assert (found["boxes"] <= [width, height, width, height]).all()
    assert (found["labels"] >= -1).all()
    assert (found["labels"] < 2).all()
    # Untrained, it finds much and believes in nothing; all that it finds passed the suppression.
    assert (np.diff(found["scores"]) <= 0).all()
    candidates = detector.raw_outputs(detector.features(ops.array(images)))
    assert tuple(candidates["candidates"].shape[:2]) == tuple(
        candidates["candidate_scores"].shape[:2]
    )
    # The finest level has a position for every 4 × 4 pixels.
    assert candidates["candidates"].shape[1] >= height * width // 16


def test_a_map_that_leaves_out_a_rest_of_the_image_has_its_positions_where_they_are():
    detector = small(backbone=tiny_convolutions((32, 50, 3)))
    rows, columns = detector.level_shapes[0][1:3]
    stride = detector.level_strides[0]
    np.testing.assert_array_equal(
        detector.points[: rows * columns].reshape(rows, columns, 2)[0, :, 0],
        (np.arange(columns) + 0.5) * stride,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing_and_the_loss_is_the_sum_of_its_parts(kind):
    detector, (images, truth) = small(kind), data()
    expected = losses(detector, images, truth)
    parts = sum(value for name, value in expected.items() if name != "loss")
    np.testing.assert_allclose(expected["loss"], parts, rtol=1e-5)
    boxes = np.full((4, 5, 4), np.nan, "float32")
    labels = np.full((4, 5), -1, "int32")
    boxes[:, :2], labels[:, :2] = truth["boxes"], truth["labels"]
    order = [4, 1, 3, 0, 2]
    padded = {"boxes": boxes[:, order], "labels": labels[:, order]}
    assert losses(detector, images, padded) == pytest.approx(expected, rel=1e-5)
    logged = detector.evaluate(images, truth, return_dict=True, verbose=0)
    assert logged == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_outside_is_cut_off(kind):
    detector, (images, truth) = small(kind), data()
    expected = losses(detector, images, truth)
    beyond = {"boxes": truth["boxes"].copy(), "labels": truth["labels"].copy()}
    beyond["boxes"][0, 1] = 30, -5, 60, 14
    cut = {"boxes": beyond["boxes"].copy(), "labels": truth["labels"]}
    cut["boxes"][0, 1] = 30, 0, 48, 14
    assert losses(detector, images, beyond) == losses(detector, images, cut) != expected
    # Nothing is left of this one.
    beyond["boxes"][0, 1] = 50, 2, 60, 14
    without = {"boxes": truth["boxes"], "labels": truth["labels"].copy()}
    without["labels"][0, 1] = -1
    assert losses(detector, images, beyond) == losses(detector, images, without)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_images(kind):
    detector, (images, truth) = small(kind), data()
    expected = losses(detector, images, truth)
    doubled = losses(detector, images, truth, np.full(4, 2.0, "float32"))
    assert doubled == pytest.approx({name: 2 * value for name, value in expected.items()}, rel=1e-5)
    # The image of weight 0 may even be wrong.
    wrong = {name: values.copy() for name, values in truth.items()}
    wrong["labels"][2] = 99
    without = losses(detector, images, wrong, np.float32([1, 1, 0, 1]))
    rest = [0, 1, 3]
    alone = losses(detector, images[rest], {name: values[rest] for name, values in truth.items()})
    assert without == pytest.approx(alone, rel=1e-5)
    assert losses(detector, images, truth, np.zeros(4, "float32"))["loss"] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [(2, 0, 0, 5, 5), (-3, 0, 0, 5, 5), (0, 9, 0, 5, 5)])
def test_a_wrong_box_is_no_other_box(kind, row):
    detector, (images, truth) = small(kind), data()
    truth["labels"][1, 1], truth["boxes"][1, 1] = row[0], row[1:]
    assert np.isnan(losses(detector, images, truth)["loss"])


@pytest.mark.turned(2)
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_images_without_boxes_teach_too(kind):
    images, _ = data()
    for empty in (
        {"boxes": np.zeros((4, 2, 4), "float32"), "labels": np.full((4, 2), -1, "int32")},
        {"boxes": np.zeros((4, 0, 4), "float32"), "labels": np.zeros((4, 0), "int32")},
    ):
        detector = small(kind)
        before = detector.predict(images, verbose=0)["scores"].mean()
        detector.optimizer.learning_rate = 1e-2
        for _ in range(3):
            logs = detector.train_on_batch(images, empty, return_dict=True)
        assert logs["box_loss"] == 0
        assert np.isfinite(logs["loss"])
        assert logs["skipped_steps"] == 0
        assert detector.predict(images, verbose=0)["scores"].mean() < before


@pytest.mark.turned(2)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
def test_it_trains_and_comes_back(kind, tmp_path):
    detector, (images, truth) = small(kind, frozen=True, score_threshold=0.002), data()
    frozen = detector.backbone.get_weights()
    history = detector.fit(images, truth, batch_size=2, epochs=12, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert {"box_loss", "class_loss", "gradient_norm"} <= set(history)
    for weight, before in zip(detector.backbone.get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(weight, before)
    detector.save(tmp_path / "detector.keras")
    copy = keras.saving.load_model(tmp_path / "detector.keras")
    assert type(copy) is kind
    assert copy.get_config() == detector.get_config()
    expected, found = (each.predict(images, verbose=0) for each in (detector, copy))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-4)


def test_every_argument_is_in_the_configuration():
    options = {
        "class_names": ["crown", "trunk"],
        "recipe": "auto",
        "augmentation": ks.training.JointCrops(flip=False),
        "max_detections": 5,
        "score_threshold": 0.2,
        "iou_threshold": 0.3,
        "seed": 7,
        "mean": (1.0, 2.0, 3.0),
        "std": (4.0, 5.0, 6.0),
        **WIDTHS,
    }
    for kind, own in (
        (ks.YOLO, {}),
        (ks.SSD, {"scales": (2.0,), "ratios": (0.25, 1.0)}),
    ):
        detector = kind(vit(), 2, **options, **own)
        copy = kind.from_config(detector.get_config())
        assert copy.get_config() == detector.get_config()
        given = {name: value for name, value in (options | own).items() if name != "augmentation"}
        assert {name: copy.get_config()[name] for name in given} == given
        assert copy.augmentation.flip is False


def test_the_augmentation_moves_images_and_boxes_together():
    augmentation = ks.training.JointCrops(scale=(0.5, 2.0), seed=3)
    images, truth = data()
    plain, augmented = small(), small(augmentation=augmentation)
    record = augmentation({"images": ops.array(images), **truth}, step=0)
    moved = {name: ops.convert_to_numpy(record[name]) for name in ("boxes", "labels")}
    pixels = ops.convert_to_numpy(record["images"])
    expected = losses(plain, pixels, moved, training=True)
    assert losses(augmented, images, truth, training=True) == pytest.approx(expected, rel=1e-4)
    unmoved = losses(plain, images, truth)
    assert losses(augmented, images, truth) == pytest.approx(unmoved, rel=1e-5)


@pytest.mark.turned(2)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["mixed_bfloat16"], indirect=True)
def test_mixed_precision(kind, precision):
    detector, (images, truth) = small(kind), data()
    history = detector.fit(images, truth, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    boxes, scores = detector.candidates(detector.features(ops.array(images)))
    assert (boxes.dtype, scores.dtype) == (ops.zeros(1, "float32").dtype,) * 2


def test_a_map_finer_than_all_levels_learns_nothing_and_does_no_harm():
    images, truth = data()
    backbone = ks.backbones.Swin(
        (32, 48, 3), 2, hidden_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4
    )
    detector = small(backbone=backbone)
    detector.compile(keras.optimizers.SGD(1e-3))
    assert detector.map_strides[0] == 2
    assert detector.level_strides[0] == 4
    before = [ops.convert_to_numpy(weight) for weight in detector.neck.trainable_weights]
    history = detector.fit(images, truth, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    changed = [
        bool(np.any(old != ops.convert_to_numpy(weight)))
        for old, weight in zip(before, detector.neck.trainable_weights, strict=True)
    ]
    assert changed == [False] * 2 + [True] * (len(changed) - 2)


def test_a_recipe_needs_no_compile():
    images, truth = data()
    detector = ks.YOLO.from_pretrained(vit(), num_classes=2, recipe="auto", **WIDTHS)
    detector.fit(images, truth, batch_size=2, epochs=2, verbose=0)
    assert detector.by_recipe
    # A batch of 512 has a rate of 5e-3, and others the square root of their share of it.
    rate = detector.optimizer._learning_rate.base_rate
    np.testing.assert_allclose(rate, 5e-3 * (2 / 512) ** 0.5)
    assert np.isfinite(detector.evaluate(images, truth, verbose=0)).all()


def test_detections_of_arrays_lists_and_datasets(containers):
    images, truth = data(8)
    detector = small(max_detections=9)
    detector.head.class_branches[0][1].bias.assign([-1.0, -4.0])
    found = detector.detect(images, score=0.1)
    assert len(found) == 8
    whole = detector.predict(images, verbose=0)
    for number, each in enumerate(found):
        kept = (whole["labels"][number] >= 0) & (whole["scores"][number] >= 0.1)
        assert 0 < len(each["boxes"]) == kept.sum()
        np.testing.assert_allclose(each["boxes"], whole["boxes"][number][kept], rtol=1e-5)
        assert (each["scores"] >= 0.1).all()
        assert set(each["labels"]) <= {0, 1}
    for given in (
        list(images),
        containers["dataset"](images),
        containers["dataset"](images, truth),
    ):
        for each, expected in zip(detector.detect(given, score=0.1), found, strict=True):
            np.testing.assert_allclose(each["boxes"], expected["boxes"], rtol=1e-4, atol=1e-3)
    assert detector.detect(images[:0]) == []
    assert all(len(each["boxes"]) == 0 for each in detector.detect(images, score=0.9))
    with pytest.raises(ValueError, match="score must be from 0 to 1, got 30"):
        detector.detect(images, score=30)


def test_lists_and_datasets_train(containers):
    images, truth = data(8)
    detector = small()
    lists = {name: values.tolist() for name, values in truth.items()}
    logs = detector.fit(list(images), lists, validation_data=(images, lists), verbose=0).history
    assert np.isfinite(logs["val_loss"]).all()
    given = containers["dataset"](images, truth)
    assert np.isfinite(detector.fit(given, validation_data=given, verbose=0).history["loss"]).all()


def changed(label=0, box=(2.0, 2.0, 9.0, 9.0)):
    _, truth = data()
    truth["labels"][2, 1], truth["boxes"][2, 1] = label, box
    return truth


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (np.zeros((4, 2)), 'y must be {"boxes": .*, got ndarray'),
        ({"boxes": np.zeros((4, 2, 4))}, r'y must be {"boxes": .*, got \[\'boxes\'\]'),
        (
            {"boxes": np.zeros((4, 2, 4)), "labels": np.zeros((4, 3), int)},
            r"boxes \(N, M, 4\) and labels \(N, M\), got \(4, 2, 4\) and \(4, 3\)",
        ),
        ({"boxes": np.zeros((4, 2, 4)), "labels": np.zeros((4, 2))}, "integers, got float64"),
        (changed(label=2), "from 0 to 1 with num_classes=2.* got 2 as box 1 of image 2"),
        (changed(box=(9, 2, 2, 9)), r"left < right .*, got \[9.0, 2.0, .* as box 1 of image 2"),
        (changed(box=(2, 2, 9, np.nan)), "finite numbers, got .* as box 1 of image 2"),
        (changed(box=(50, 2, 60, 9)), "48 pixels wide and 32 high.* box 1 of image 2"),
        (
            {"boxes": np.zeros((4, 2, 4)), "labels": np.full((4, 2), -1)},
            "y must hold a box of a class, got none in 4 images",
        ),
    ],
)
def test_boxes_that_teach_nothing_are_refused(truth, message):
    images, _ = data()
    with pytest.raises(ValueError, match=message):
        small().fit(images, truth, verbose=0)


def test_other_bad_input():
    images, truth = data()
    detector = small()
    with pytest.raises(ValueError, match=r"callbacks\.Evaluate"):
        detector.compile("adam", metrics=["accuracy"])
    with pytest.raises(ValueError, match="class_weight must be None"):
        detector.fit(images, truth, class_weight={1: 2.0}, verbose=0)
    with pytest.raises(ValueError, match="got images alone"):
        small().fit(images, verbose=0)
    with pytest.raises(ValueError, match="validation_data's boxes must be"):
        small().fit(images, truth, validation_data=(images, np.zeros(4)), verbose=0)
    with pytest.raises(ValueError, match=r"sample_weight must be \(B,\)"):
        losses(small(), images, truth, np.ones((4, 2)))
    for options, message in (
        ({"num_classes": 0}, "num_classes must be an integer of at least 1, got 0"),
        ({"max_detections": 0}, "max_detections must be"),
        ({"score_threshold": 2}, "score_threshold must be from 0 to 1, got 2"),
        ({"iou_threshold": -1}, "iou_threshold must be from 0 to 1"),
        ({"augmentation": "crops"}, "augmentation must be"),
        ({"head_width": 0}, "width must be"),
    ):
        with pytest.raises(ValueError, match=message):
            ks.YOLO(vit(), **{"num_classes": 2, **options})
    with pytest.raises(ValueError, match="ratios must be numbers above 0"):
        ks.SSD(vit(), 2, ratios=(1.0, 0.0))


@pytest.mark.long
def test_quality_is_told_while_it_trains():
    images, truth = shapes_to_find(4, 32)
    detector = small(backbone=vit((32, 32, 3)))
    evaluate = ks.training.callbacks.Evaluate([ks.evaluation.DetectionQuality(images, truth)])
    history = detector.fit(images, truth, callbacks=[evaluate], verbose=0).history
    assert any("mAP50" in name for name in history)
