"""Pretrain, resume, embed and fine-tune from arrays, where neither TensorFlow nor TensorBoard is.

Run as a process of its own, in an empty directory; the last line says that all went well.
"""

import importlib.util

import keras
import numpy as np

import keras_simmim as ks

ABSENT = ("tensorflow", "tensorboard")
assert not [name for name in ABSENT if importlib.util.find_spec(name)]

callbacks = ks.training.callbacks
images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")
data = {"x": images, "batch_size": 8, "shuffle": False, "verbose": 0}

backbone = ks.backbones.ViT((8, 8, 3), patch_size=2, num_layers=1, num_heads=1, hidden_dim=8)
model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio=0.6, block_size=2))
model.compile(keras.optimizers.AdamW(1e-3))
table = callbacks.EpochTable("run/epochs.csv")
statistics = callbacks.Evaluate([ks.evaluation.EmbeddingStatistics(images)], log_dir=None)
checkpoint = callbacks.Checkpoint("run/checkpoints")
model.fit(**data, epochs=2, callbacks=[statistics, table, checkpoint])
assert [row["epoch"] for row in table.rows] == [0, 1, 2]

run = ks.training.resume("run/checkpoints")
assert (run.epoch, run.batch) == (2, 0)
history = run.model.fit(**data, epochs=3, initial_epoch=run.epoch, callbacks=[table]).history
assert np.isfinite(history["loss"]).all()
assert run.model.embed(images).shape == (16, 8)

classifier = ks.ImageClassifier.from_pretrained(run.model, num_classes=2)
classifier.compile(keras.optimizers.AdamW(1e-3))
classifier.fit(**data, y=np.arange(16) % 2)
assert classifier.predict(images, verbose=0).shape == (16, 2)
ks.training.record_run("run/run.json")
assert ks.training.write_report("run").exists()

narrow = ks.SimMIM(backbone.copy(), ks.masking.SpatialMasking(0.5, 2))
assert ks.pretrain(images, model=narrow, epochs=1, output="pretrained") is narrow
# Two crops of each image, drawn on the device.
pretrained = ks.pretrain(images, epochs=1, batch_size=8)
assert pretrained.embed(images).shape == (16, 128)


def refusal(call, *arguments, **options):
    """Return what the ImportError says that a call ends with."""
    try:
        call(*arguments, **options)
    except ImportError as error:
        return str(error)
    raise AssertionError(f"{call} raised no ImportError")


for callback in (
    callbacks.TensorBoard("run/logs"),
    callbacks.Watch(images, "run/logs"),
    callbacks.Evaluate([ks.evaluation.EmbeddingStatistics(images)], log_dir="run/logs"),
):
    assert "pip install tensorboard" in refusal(model.fit, **data, callbacks=[callback])
assert refusal(lambda: ks.data.image_folder("photos", image_size=8))
print("trained without", ", ".join(ABSENT))
