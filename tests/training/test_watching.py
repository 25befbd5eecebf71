"""What is said about a run while it goes on: logs, table, TensorBoard, and the line of progress."""

import json
import sys

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_simmim as ks
from keras_simmim.training.callbacks.epoch_table import read_epochs
from keras_simmim.training.callbacks.progress import duration
from keras_simmim.training.callbacks.telemetry import learning_rate
from keras_simmim.training.callbacks.tensorboard import markdown_table

callbacks = ks.training.callbacks


def measure(model):
    yield "rank", float(keras.ops.convert_to_numpy(model.step))


@pytest.fixture(scope="module")
def run(make_model, images, tmp_path_factory):
    """Three epochs of two steps with every callback: model, history, table and folder."""
    folder = tmp_path_factory.mktemp("run")
    model = make_model()
    rate = keras.optimizers.schedules.PolynomialDecay(0.8, 8, end_learning_rate=0.0)
    model.compile(keras.optimizers.SGD(rate))
    dataset = ks.data.metered(ks.data.from_arrays(images, batch_size=4))
    table = callbacks.EpochTable(folder / "epochs.csv")
    board = callbacks.TensorBoard(folder / "logs", {"a|b": "<i>"}, histograms=2, steps=2)
    watched = [
        callbacks.Telemetry(dataset),
        callbacks.Evaluate([measure], every=2),
        table,
        board,
        callbacks.Progress(dataset, show=("loss", "rank", "absent")),
    ]
    # Validation, too, is no part of an epoch's seconds, and has a run of its own.
    history = model.fit(
        dataset, epochs=3, verbose=0, callbacks=watched, validation_data=images, validation_freq=3
    )
    return model, history.history, table, folder


def test_the_learning_rate_is_that_of_the_next_step(run):
    _, history, _, _ = run
    np.testing.assert_allclose(history["learning_rate"], [0.6, 0.4, 0.2], rtol=1e-6)


def test_the_learning_rate_is_the_largest_of_several():
    groups = keras.optimizers.OptimizerMap(
        keras.optimizers.SGD(0.1), {"head": keras.optimizers.SGD(0.3)}
    )
    both = keras.optimizers.MultiOptimizer(groups)
    both.build([keras.Variable(0.0, name=name) for name in ("stem", "head")])
    assert learning_rate(both) == pytest.approx(0.3)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.2))
    assert learning_rate(scaled) == pytest.approx(0.2)


def test_the_table_has_what_the_history_has(run):
    _, history, table, _ = run
    rows = read_epochs(table.path)
    assert rows[0] == {"epoch": 0, "rank": 0, "evaluate_seconds": rows[0]["evaluate_seconds"]}
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    for name in ("loss", "gradient_norm", "learning_rate", "images_per_second", "rank"):
        assert [row[name] for row in rows[1:]] == history[name]
    assert [row.get("val_loss") for row in rows] == [None, None, None, *history["val_loss"]]


def test_a_resumed_table_goes_on_and_a_new_run_starts_anew(run, tmp_path):
    model, _, table, _ = run
    path = tmp_path / "epochs.csv"
    path.write_bytes(table.path.read_bytes())
    again = callbacks.EpochTable(path)
    again.set_model(model)
    again.on_train_begin({"rank": 7.0})
    again.on_epoch_begin(2)
    assert [row["epoch"] for row in again.rows] == [0, 1, 2]
    assert again.rows[2]["rank"] == 4
    again.on_epoch_end(2, {"loss": 0.5, "new": float("nan")})
    rows = read_epochs(path)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert rows[3]["loss"] == 0.5
    assert np.isnan(rows[3]["new"])
    assert "new" not in rows[2]
    assert [file.name for file in tmp_path.iterdir()] == ["epochs.csv"]

    again.on_train_begin({"rank": 7.0})
    again.on_epoch_begin(0)
    assert again.rows == [{"epoch": 0, "rank": 7.0}]


def test_tensorboard_has_numbers_weights_and_settings(run):
    model, history, _, folder = run
    log = EventAccumulator(str(folder / "logs" / "train"), {"tensors": 0}).Reload()
    for tag, name in (
        ("losses/loss", "loss"),
        ("losses/spatial_loss", "spatial_loss"),
        ("optimizer/learning_rate", "learning_rate"),
        ("optimizer/gradient_norm", "gradient_norm"),
        ("speed/images_per_second", "images_per_second"),
        ("speed/data_wait_share", "data_wait_share"),
    ):
        events = log.Scalars(tag)
        assert [event.step for event in events] == [1, 2, 3]
        np.testing.assert_allclose([event.value for event in events], history[name], rtol=1e-6)
    ranks = [(event.step, event.value) for event in log.Scalars("measures/rank")]
    assert ranks == [(0, 0), (1, 0), (2, 4), (3, 6)]
    # The mean since the epoch began, after each second step.
    steps = {event.step: event.value for event in log.Scalars("steps/loss")}
    np.testing.assert_allclose([steps[step] for step in (2, 4, 6)], history["loss"], rtol=1e-6)

    tags = set(log.Tags()["tensors"])
    weights = {f"weights/{weight.path}" for weight in model.trainable_weights}
    assert len(weights) == len(model.trainable_weights)
    assert weights <= tags
    assert [event.step for event in log.Tensors(min(weights))] == [2, 3]
    (text,) = log.Tensors("settings")
    assert text.tensor_proto.string_val[0].decode() == markdown_table({"a|b": "<i>"})
    (text,) = log.Tensors("model")
    config = json.loads(text.tensor_proto.string_val[0])
    assert config["mask_generator"]["class_name"] == "SpatialMasking"

    validation = EventAccumulator(str(folder / "logs" / "validation")).Reload()
    (event,) = validation.Scalars("losses/loss")
    assert (event.step, event.value) == (3, pytest.approx(history["val_loss"][0]))


def test_settings_are_no_markup():
    table = markdown_table({"a": "x | <b>*y*\n#z"})
    assert table.splitlines() == ["| | |", "|---|---|", "| a | x \\| \\<b\\>\\*y\\* \\#z |"]


class Dataset:
    """A data set of two batches of 40 images, as far as `Progress` is concerned."""

    class meter:  # noqa: N801
        images = 0


@pytest.fixture
def shown(monkeypatch, capsys):
    """A function that plays two epochs of two steps, a second each, and gives what was shown."""

    def play(is_terminal, repeat_seconds=100.0):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
        module = sys.modules["keras_simmim.training.callbacks.progress"]
        monkeypatch.setattr(module, "REPEAT_SECONDS", repeat_seconds)
        clock = iter(range(100))
        monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
        monkeypatch.setenv("COLUMNS", "120")
        progress = callbacks.Progress(Dataset)
        progress.set_params({"epochs": 2, "steps": None, "verbose": 0})
        progress.on_train_begin()
        for epoch in range(2):
            progress.on_epoch_begin(epoch)
            for batch in range(2):
                Dataset.meter.images += 40
                progress.on_train_batch_end(batch, {"loss": 0.5})
            progress.on_epoch_end(epoch, {"loss": 0.25, "knn_accuracy": 0.75})
        return capsys.readouterr().out

    return play


def test_progress_in_a_file_is_a_line_an_epoch(shown):
    # The clock says 0 as an epoch begins, 1 and 2 as its steps end, and 3 as it ends.
    assert shown(is_terminal=False).splitlines() == [
        "epoch 1/2  step 2/2  loss 0.25  knn_accuracy 0.75  20 images/s  0:04 left",
        "epoch 2/2  step 2/2  loss 0.25  knn_accuracy 0.75  20 images/s  0:00 left",
    ]
    assert len(shown(is_terminal=False, repeat_seconds=2.0).splitlines()) == 4


def test_progress_on_a_terminal_is_one_line_an_epoch(shown):
    first, second, rest = shown(is_terminal=True).split("\n")
    assert rest == ""
    drawn = first.split("\r")
    assert drawn[1] == "epoch 1/2  step 1/?  loss 0.5\x1b[K"
    assert drawn[-1].startswith(f"epoch 1/2  {'█' * 20}  step 2/2  loss 0.25  knn_")
    assert f"{'█' * 10}{'░' * 10}  step 1/2" in second


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3723, "1:02:03"), (183_840, "2 d 03:04")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("name", ["histograms", "steps"])
def test_bad_arguments_are_named(name, tmp_path):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, or None, got 0"):
        callbacks.TensorBoard(tmp_path, **{name: 0})
