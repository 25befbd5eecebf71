"""A run of texts: everything that a run of images has, and it goes on to the last bit."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.pretraining.run import Run

pytestmark = pytest.mark.long

TEXTS = [word * 3 + " " + other for word in ("ab", "cde", "f") for other in ("xy", "z", "ab c")] * 3
LABELS = np.repeat([0, 1, 2] * 3, 3)


@keras.saving.register_keras_serializable("tests.run_of_texts")
def letters(text):
    return [1 + ord(letter) % 32 for letter in text]


def make():
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.SequenceTransformer(
        34, 16, num_layers=2, num_heads=2, hidden_dim=8, drop_path_rate=0.2
    )
    masks = ks.masking.SpatialMasking(0.3, 2, kept=0.1, swapped=0.1)
    model = ks.SimMIM(backbone, masks, embedding_metrics=True)
    model.compile(keras.optimizers.AdamW(1e-2))
    return model


def data(**place):
    dataset = ks.data.texts(TEXTS, letters, length=16, batch_size=6, **place)
    return ks.data.metered(dataset)


def variables(model):
    return [ops.convert_to_numpy(each) for each in (*model.variables, *model.optimizer.variables)]


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(ops.convert_to_numpy(self.model.step)) == 7:
            raise KeyboardInterrupt


def test_a_run_is_watched_stopped_and_goes_on(tmp_path):
    whole = make()
    whole.fit(data(), epochs=3, verbose=0)

    run = Run(tmp_path / "run", {"seed": 0}, fixed=("seed",))
    with pytest.raises(KeyboardInterrupt):
        run.fit(make(), data(), epochs=3, save_every=3, others=[Interrupt()])
    found = Run(tmp_path / "run", {"seed": 0}, fixed=("seed",)).interrupted()
    assert found.step == 6
    assert found.model.tokenizer(["ab"], 2).tolist() == [letters("ab")]
    tokens = letters_of(TEXTS)
    half = len(TEXTS) // 2
    evaluators = [
        ks.evaluation.KNN((tokens[:half], LABELS[:half]), (tokens[half:], LABELS[half:]), k=3),
        ks.evaluation.LinearProbe((tokens[:half], LABELS[:half]), (tokens[half:], LABELS[half:])),
    ]
    rest = data(epoch=found.epoch, first_batch=found.batch)
    summary = run.fit(found.model, rest, 3, initial_epoch=found.epoch, evaluators=evaluators)
    run.finish(summary)
    for value, expected in zip(variables(found.model), variables(whole), strict=True):
        np.testing.assert_array_equal(value, expected)
    header, *_, last = (tmp_path / "run/epochs.csv").read_text().splitlines()
    assert {"token_loss", "token_accuracy", "knn_accuracy", "probe_accuracy"} <= set(
        header.split(",")
    )
    assert last.startswith("3,")
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"model.keras", "report.html", "logs", "losses.csv", "checkpoints"} <= written
    loaded = keras.saving.load_model(tmp_path / "run/model.keras")
    np.testing.assert_array_equal(loaded.embed(TEXTS), found.model.embed(TEXTS))
    few = ks.data.few_labels(ks.data.texts(TEXTS, letters, LABELS, length=16, training=False), 2)
    classifier = ks.TextClassifier.from_pretrained(tmp_path / "run", num_classes=3, recipe="auto")
    assert np.isfinite(classifier.fit(*few, verbose=0).history["loss"]).all()


def letters_of(texts):
    return ks.data.CallableTokenizer(letters)(texts, 16)
