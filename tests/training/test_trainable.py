"""What was frozen stays frozen: in files, presets and resumed runs, with the optimizer's state."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.layers.frozen_parts import freeze_parts, frozen_parts

pytestmark = pytest.mark.fast_on("torch", "tensorflow")


def backbone():
    return ks.backbones.ViT((16, 24, 3), 4, num_layers=2, num_heads=2, hidden_dim=16)


def frozen_by_hand():
    """A model whose stem and positions do not learn."""
    model = ks.SimMIM(backbone(), ks.masking.SpatialMasking(0.5, 2))
    model.backbone.stem.trainable = False
    model.backbone.encoder.position_embedding.trainable = False
    return model


def flags(model):
    return [weight.trainable for weight in model.weights]


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    """A model that trained for two steps, and the folder of its checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    model = frozen_by_hand()
    model.compile(keras.optimizers.AdamW(1e-3))
    checkpoint = ks.training.callbacks.Checkpoint(folder)
    model.fit(images, batch_size=4, verbose=0, callbacks=[checkpoint])
    return model, folder


def test_a_resumed_run_has_the_flags_and_the_optimizer(run, images):
    model, folder = run
    resumed = ks.training.resume(folder).model
    assert not resumed.backbone.stem.trainable
    assert flags(resumed) == flags(model)
    assert int(ops.convert_to_numpy(resumed.optimizer.iterations)) == 2
    for mine, its in zip(model.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (mine, its)))
    before = ops.convert_to_numpy(resumed.backbone.stem.kernel)
    resumed.fit(images, batch_size=4, initial_epoch=1, epochs=2, verbose=0)
    np.testing.assert_array_equal(before, ops.convert_to_numpy(resumed.backbone.stem.kernel))


def test_an_optimizer_that_was_not_restored_is_an_error(run, images, tmp_path):
    model = frozen_by_hand()
    model.compile(keras.optimizers.AdamW(1e-3))
    checkpoint = ks.training.callbacks.Checkpoint(tmp_path)
    freeze = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: setattr(model.backbone.encoder.blocks[0], "trainable", False)
    )
    model.fit(images, batch_size=4, verbose=0, callbacks=[freeze, checkpoint])
    with (
        pytest.warns(UserWarning, match="Skipping variable loading for optimizer"),
        pytest.raises(ValueError, match="optimizer was not restored: it counts 0 updates"),
    ):
        ks.training.resume(tmp_path)


def test_files_and_presets_have_the_flags(run, tmp_path):
    model, _ = run
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    model.backbone.save(tmp_path / "backbone.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    preset = ks.SimMIM.from_preset(str(tmp_path / "preset"))
    assert flags(model) == flags(loaded) == flags(preset)
    network = keras.saving.load_model(tmp_path / "backbone.keras")
    assert flags(network) == flags(model.backbone)


def test_copies_have_the_flags_and_new_tasks_do_not(run):
    network = run[0].backbone
    assert flags(network.copy()) == flags(network)
    assert not network.resize((32, 24, 3)).stem.trainable
    assert all(flags(ks.ImageClassifier.from_pretrained(network, 2).backbone))


def test_a_classifier_takes_the_backbone_as_it_is_unless_frozen(run, tmp_path):
    network = backbone()
    network.stem.trainable = False
    assert ks.ImageClassifier(network, 2).backbone is network
    frozen = ks.ImageClassifier(network, 2, frozen=True)
    assert network.trainable
    assert not any(flags(frozen.backbone))
    # Thawed by hand, and so in the file.
    frozen.backbone.encoder.blocks[1].trainable = True
    frozen.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert flags(loaded) == flags(frozen)
    assert any(flags(loaded.backbone))


def test_parts_are_found_by_names_that_last():
    inner = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(2)])
    inner.build((None, 2))
    inner.layers[1].trainable = False
    parts = frozen_parts(inner)
    again = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(2)])
    again.build((None, 2))
    freeze_parts(again, [*parts, "/no/such/part"])
    assert [layer.trainable for layer in again.layers] == [True, False]
    freeze_parts(again, [])
    assert frozen_parts(again) == []


def test_what_learns_may_not_change_behind_compile(images):
    model = frozen_by_hand()
    model.compile("adamw")
    model.backbone.stem.trainable = True
    model.backbone.encoder.blocks[0].attention_norm.trainable = False
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="2 weights were frozen and 2 thawed since"):
            call(images)
    model.compile("adamw")
    model.train_on_batch(images)
