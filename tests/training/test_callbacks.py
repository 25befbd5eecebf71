"""Callbacks: what they leave behind, and that a resumed run finds its place in it."""

import csv

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_simmim as ks
from keras_simmim.evaluation.reconstruction_sheet import HIDDEN, VISIBLE, mask_sheet

callbacks = ks.training.callbacks


@pytest.fixture(scope="module")
def run(make_model, images, tmp_path_factory):
    """Two epochs of two steps with every callback: the model, its history and its folder."""
    folder = tmp_path_factory.mktemp("run")
    model = make_model()
    model.compile(keras.optimizers.SGD(0.01))
    losses = callbacks.StepLosses(folder / "losses.csv")
    watched = [
        losses,
        callbacks.Checkpoint(folder / "checkpoints", keep=1),
        callbacks.Watch(images[:2], folder / "logs", every=5),
    ]
    history = model.fit(images, batch_size=4, epochs=2, verbose=0, callbacks=watched)
    return model, history.history, losses, folder


def test_step_losses_take_the_mean_apart(run):
    _, history, losses, folder = run
    assert len(losses.losses) == 4
    for epoch in range(2):
        mean = np.mean(losses.losses[2 * epoch : 2 * epoch + 2])
        assert mean == pytest.approx(history["loss"][epoch], rel=1e-5)
    with (folder / "losses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 1, 2, 3]
    assert [float(row["loss"]) for row in rows] == losses.losses
    assert losses.first_and_last() == (losses.losses[0], losses.losses[-1])


def test_a_resumed_run_drops_what_its_checkpoint_does_not_know(run):
    model, _, losses, folder = run
    again = callbacks.StepLosses(folder / "losses.csv")
    again.set_model(model)
    again.on_train_begin()
    assert again.losses == losses.losses

    # The last row was cut short; what is missing was never recorded.
    for rows, expected in (
        ([0, 1, 2, 3, 4, 5], [0.0, 1.0, 2.0, 3.0]),
        ([0, 1, 2], [0.0, 1.0, np.nan, np.nan]),
    ):
        text = "step,loss\n" + "".join(f"{row},{row}.0\n" for row in rows)
        (folder / "longer.csv").write_text(text.removesuffix(".0\n"))
        longer = callbacks.StepLosses(folder / "longer.csv")
        longer.set_model(model)
        longer.on_train_begin()
        np.testing.assert_array_equal(longer.losses, expected)
        written = (folder / "longer.csv").read_text().splitlines()
        assert len(written) == 1 + 4


def test_a_skipped_step_has_no_loss(make_model, images, tmp_path):
    model = make_model()
    model.compile(keras.optimizers.SGD(0.0))
    poisoned = images.astype("float32")
    poisoned[4] = np.nan
    losses = callbacks.StepLosses(tmp_path / "losses.csv")
    history = model.fit(poisoned, batch_size=2, shuffle=False, verbose=0, callbacks=[losses])
    assert [bool(np.isfinite(loss)) for loss in losses.losses] == [True, True, False, True]
    assert np.nanmean(losses.losses) == pytest.approx(history.history["loss"][0], rel=1e-5)
    assert losses.first_and_last() == (losses.losses[0], losses.losses[3])


def test_checkpoint_holds_the_trained_model_and_nothing_else(run, images):
    model, _, _, folder = run
    (checkpoint,) = (folder / "checkpoints").iterdir()
    assert sorted(path.name for path in checkpoint.iterdir()) == ["model.keras", "run.json"]
    loaded = keras.saving.load_model(checkpoint / "model.keras")
    np.testing.assert_allclose(loaded.embed(images), model.embed(images), atol=1e-6)
    assert int(keras.ops.convert_to_numpy(loaded.step)) == 4


def test_watch_writes_pictures_and_distributions_of_the_last_epoch(run):
    _, _, _, folder = run
    log = EventAccumulator(str(folder / "logs" / "train"), {"images": 0, "tensors": 0})
    log.Reload()
    (picture,) = log.Images("reconstructions")
    assert (picture.step, picture.height, picture.width) == (2, 3 * 20 - 4, 58 + 2 * 28 - 4)
    (picture,) = log.Images("masks")
    assert (picture.step, picture.height, picture.width) == (2, 16, 40 + 2 * 28 - 4)
    for tag in ("features/stem", "features/encoder", "features/views"):
        (event,) = log.Tensors(tag)
        assert event.step == 2
        buckets = np.frombuffer(event.tensor_proto.tensor_content, "float64").reshape(-1, 3)
        assert buckets[:, 2].sum() == 2 * 4 * 6 * 16  # two images of 4×6 positions, 16 numbers


@pytest.mark.fast_on("torch")
def test_watch_shows_every_view_and_every_stage(images):
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    masks = ks.masking.IterativeMasking(
        [ks.masking.SpatialMasking(), ks.masking.ColorMasking()], iterations=2, block_size=8
    )
    classifier = ks.heads.ClassificationHead(3)
    model = ks.SimMIM(backbone, masks, classifier=classifier, mask_on="pixels")
    sheet = mask_sheet(model.reconstruct(images[:3])["mask"])
    assert (sheet.shape, sheet.dtype) == ((2 * 20 - 4, 40 + 3 * 28 - 4, 1), "uint8")
    expected = model.reconstruct(images[:3])["mask"]
    shades = np.where(expected[1, 1], HIDDEN, VISIBLE)
    np.testing.assert_array_equal(sheet[20:, 40 + 28 : 40 + 28 + 24, 0], shades)
    found = model.features_by_stage(keras.ops.convert_to_tensor(images[:3]))
    assert set(found) == {"stem", "encoder", "views", "aggregated"}
    assert tuple(found["views"].shape) == (3, 2, *backbone.feature_shape)
    assert tuple(found["aggregated"].shape) == (3, *backbone.feature_shape)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.Checkpoint("run", every=0), "every must be at least 1, got 0"),
        (lambda: callbacks.Checkpoint("run", keep=0), "keep must be at least 1, got 0"),
        (lambda: callbacks.Watch(np.zeros((0, 8, 8, 3)), "logs"), "images must hold at least one"),
        (lambda: callbacks.Watch(np.zeros((1, 8, 8, 3)), "logs", every=0), "every must be at l"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
