"""Class weights touch the classification alone, and need no change of the data."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")
WEIGHTS = {0: 2.0, 2: 0.5}


@pytest.fixture(scope="module")
def model(make_model):
    made = make_model(num_classes=3)
    made.compile(keras.optimizers.SGD(0.0))
    return made


def logs(model, *data, **options):
    model.step.assign(0)
    history = model.fit(*data, batch_size=8, shuffle=False, verbose=0, **options).history
    return {name: values[0] for name, values in history.items()}


def test_only_the_classification_changes_and_by_its_formula(model, images, labels):
    plain = logs(model, images, labels)
    weighed = logs(model, images, labels, class_weight=WEIGHTS)
    again = logs(model, images, labels)
    assert again == pytest.approx(plain, rel=1e-5)
    for name in ("reconstruction_loss", "accuracy", "spatial_loss"):
        assert weighed[name] == pytest.approx(plain[name], rel=1e-5)
    model.step.assign(0)
    found = model.masked_pass(model.normalize(images), 0, training=True)
    scores = ops.convert_to_numpy(ops.log_softmax(model.logits(found, training=True)))
    known = labels >= 0
    entropy = -scores[np.flatnonzero(known), labels[known]]
    counts = np.array([2.0, 1.0, 0.5])[labels[known]]
    expected = np.sum(entropy * counts) / np.sum(counts)
    assert weighed["classification_loss"] == pytest.approx(expected, rel=1e-4)
    assert weighed["classification_loss"] != pytest.approx(plain["classification_loss"], rel=1e-3)


def test_equal_weights_change_nothing(model, images, labels):
    plain = logs(model, images, labels)
    tens = logs(model, images, labels, class_weight=dict.fromkeys(range(3), 10.0))
    assert tens["loss"] == pytest.approx(plain["loss"], rel=1e-5)


def test_a_classifier_weighs_as_keras_does(images):
    labels = np.arange(8) % 3
    classifier = ks.ImageClassifier(ks.backbones.ConvNet((16, 24, 3), filters=(4,)), 3)
    classifier.compile(keras.optimizers.SGD(0.0))
    counts = np.array([2.0, 1.0, 0.5])[labels]
    by_image = logs(classifier, images, labels, sample_weight=counts)
    by_class = logs(classifier, images, labels, class_weight=WEIGHTS)
    assert by_class["loss"] == pytest.approx(by_image["loss"], rel=1e-5)


def test_a_run_goes_on_in_mid_epoch(model, images, labels):
    model.step.assign(0)
    dataset = ks.data.from_arrays(images, labels, batch_size=2, first_batch=3)
    model.fit(dataset, epochs=2, class_weight=WEIGHTS, verbose=0)
    assert int(ops.convert_to_numpy(model.step)) == 1 + 4


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({-1: 1.0}, "classes from 0 to 2, got -1"),
        ({3: 1.0}, "classes from 0 to 2, got 3"),
        ({0: float("nan")}, "got nan for class 0"),
    ],
)
def test_other_weights_are_refused(model, images, labels, class_weight, message):
    with pytest.raises(ValueError, match=message):
        model.fit(images, labels, class_weight=class_weight)


def test_a_model_without_classes_has_nothing_to_weigh(make_model, images):
    model = make_model()
    model.compile("sgd")
    with pytest.raises(ValueError, match="needs a model with a classifier"):
        model.fit(images, class_weight={0: 1.0})
