"""Evaluators while training: when they run, and where their values go."""

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_simmim as ks

Evaluate = ks.training.callbacks.Evaluate


def counting(calls):
    def evaluator(model):
        calls.append(int(keras.ops.convert_to_numpy(model.step)))
        yield "value", len(calls)

    return evaluator


@pytest.mark.fast_on("torch")
def test_values_come_every_few_epochs_and_after_the_last(make_model, images, tmp_path):
    model, calls = make_model(), []
    model.compile(keras.optimizers.SGD(1e-3))
    evaluate = Evaluate([counting(calls)], every=2, log_dir=tmp_path)
    table = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(images, epochs=5, verbose=0, callbacks=[evaluate, table]).history
    # Before training, and after the second, fourth and fifth epoch of one step each.
    assert calls == [0, 2, 4, 5]
    assert history["value"] == [1, 2, 2, 3, 4]
    assert [seconds > 0 for seconds in history["evaluate_seconds"]] == [0, 1, 0, 1, 1]
    assert 0 < evaluate.share < 1
    # All of them, and the one before training.
    assert evaluate.seconds > sum(history["evaluate_seconds"])
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert "value" in rows[0].split(",")
    assert len(rows) == 6
    events = EventAccumulator(str(tmp_path / "validation")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("value")] == [(0, 1), (2, 2), (4, 3), (5, 4)]


@pytest.mark.long
def test_a_resumed_run_writes_where_it_goes_on(make_model, images, tmp_path):
    model = make_model()
    model.compile(keras.optimizers.SGD(1e-3))
    evaluate = Evaluate([counting([])], log_dir=tmp_path)
    model.fit(images, epochs=4, initial_epoch=3, verbose=0, callbacks=[evaluate])
    events = EventAccumulator(str(tmp_path / "validation")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("value")] == [(3, 1), (4, 2)]


@pytest.mark.long
def test_a_real_evaluator_sees_the_weights_change(make_model, images):
    model = make_model()
    model.compile(keras.optimizers.SGD(0.1))
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    evaluators = [
        ks.evaluation.KNN((images, labels), (images, labels), k=3),
        ks.evaluation.EmbeddingStatistics(images),
    ]
    history = model.fit(images, epochs=2, verbose=0, callbacks=[Evaluate(evaluators)]).history
    assert len(history["knn_accuracy"]) == 2
    assert history["embedding_std"][0] != history["embedding_std"][1]
    now = dict(evaluators[1](model))["embedding_std"]
    np.testing.assert_allclose(history["embedding_std"][1], now, rtol=1e-4)


def test_a_mistake_shows_before_anything_was_learned(make_model, images):
    model = make_model()
    model.compile(keras.optimizers.SGD(0.1))
    labels = np.zeros(8, int)
    evaluate = Evaluate([ks.evaluation.KNN((images, labels), (images, labels))])
    with pytest.raises(ValueError, match="at least two classes"):
        model.fit(images, verbose=0, callbacks=[evaluate])
    assert int(keras.ops.convert_to_numpy(model.step)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"evaluators": []}, "at least one"),
        ({"evaluators": ["knn"]}, "functions of the model"),
        ({"evaluators": [print], "every": 0}, "every must be at least 1 epoch, got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evaluate(**arguments)
