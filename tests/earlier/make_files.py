"""Write the files of this folder: run on TensorFlow with the commit that they are to stand for.

    KERAS_BACKEND=tensorflow python tests/earlier/make_files.py FOLDER

Each model is trained for a few steps, saved, and trained on: what the continued run measured is in
`expected.json`, which tests/test_earlier_files.py compares on every backend.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import keras_simmim as ks

SHAPE = (16, 24, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), dtype="uint8")
LABELS = np.array([0, 1, 2, -1, 2, 1, -1, 0])
KNOWN = np.array([0, 1, 2, 0, 2, 1, 1, 0])


def tiny_vit(**arguments):
    sizes = {"patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 12}
    return ks.backbones.ViT(SHAPE, **sizes, **arguments)


def tiny_swin():
    sizes = {"patch_size": 2, "hidden_dim": 8, "depths": (1, 1), "num_heads": (1, 2)}
    return ks.backbones.Swin(SHAPE, **sizes, window_size=4, drop_path_rate=0.1)


def selective(**arguments):
    schedule = ks.training.WarmupCosine(1e-2, 1e-4, 2, 1e-5, 20)
    return ks.training.SelectiveAdamW(
        schedule, without_decay=("bias", "gamma", "beta"), global_clipnorm=5.0, **arguments
    )


def multimodal():
    """Three modalities in three rounds, a classifier, running scales, a schedule."""
    parts = [ks.masking.SpatialMasking(), ks.masking.ColorMasking(), ks.masking.TextureMasking()]
    model = ks.SimMIM(
        tiny_vit(class_token=True, drop_path_rate=0.2),
        ks.masking.IterativeMasking(parts, 2, block_size=4, seed=3),
        aggregator=ks.aggregation.ConcatAggregation(),
        classifier=ks.heads.ClassificationHead(3, "attention", hidden_dim=4, norm=True),
        mask_on="pixels",
        embedding_metrics=True,
    )
    model.compile(selective())
    return model, LABELS


def learned():
    """Learned masks and a head that fills in what was not encoded."""
    model = ks.SimMIM(
        tiny_vit(),
        ks.masking.LearnedMasking(0.6, 2, ramp_steps=5, seed=1),
        head=ks.heads.TransformerHead(hidden_dim=8, num_layers=1, num_heads=2),
        encode="visible",
    )
    model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.05))
    return model, None


def paper():
    """The paper's arrangement with the official options."""
    options = {"position_embedding": False, "relative_position_bias": "shared", "class_token": True}
    options |= {"query_key_value_bias": "query_value", "layer_scale": 0.1}
    backbone = tiny_vit(**options, official_initialization=True)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2), mean=100.0, std=50.0)
    model.compile(selective())
    return model, None


def article():
    """The article's sample network: a soft mask, the mean over space, labels alone."""
    model = ks.SimMIM(
        ks.backbones.ConvNet(SHAPE, (4,)),
        ks.masking.SoftMasking(),
        aggregator=ks.aggregation.SpatialMean(),
        classifier=ks.heads.ClassificationHead(3, hidden_dim=4),
        mask_token=False,
        reconstruction_weight=0,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model, LABELS


def functional():
    """A backbone made of a functional Keras model."""
    images = keras.Input(SHAPE)
    maps = keras.layers.Conv2D(4, 4, 4, name="patches")(images)
    maps = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(maps))
    backbone = ks.backbones.from_keras(keras.Model(images, maps), mask_at="patches")
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    return model, None


def classifier():
    """Fine-tuning with rates by layer and the automatic recipe, without its random parts."""
    quiet = {"rand_augment": 0.0, "erasing": 0.0, "mixup": 0.0, "cutmix": 0.0}
    names = {"class_names": ["cat", "dog", "owl"]}
    model = ks.ImageClassifier(tiny_swin(), 3, recipe="auto", **quiet, **names)
    model.compile(selective(layer_decay=0.8, depths=(1, 1)))
    return model, KNOWN


def frozen():
    """A frozen network and a head that pools by attention, with a recipe of constants."""
    recipe = ks.training.fine_tuning_recipe("simmim_swin_base_100ep_192", 4, 8)
    quiet = {"rand_augment": 0.0, "erasing": 0.0, "mixup": 0.0, "cutmix": 0.0}
    model = ks.ImageClassifier(
        tiny_vit(final_norm=False), 3, frozen=True, pooling="attention", recipe=recipe, **quiet
    )
    model.compile(keras.optimizers.Adam(1e-2))
    return model, KNOWN


MODELS = (multimodal, learned, paper, article, functional, classifier, frozen)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for make in MODELS:
        keras.utils.set_random_seed(0)
        model, labels = make()
        data = (IMAGES,) if labels is None else (IMAGES, labels)
        fit = {"batch_size": 4, "shuffle": False, "verbose": 0}
        model.fit(*data, epochs=2, **fit)
        model.save(folder / f"{make.__name__}.keras")
        expected[make.__name__] = {
            "embedding": model.embed(IMAGES).tolist(),
            "evaluation": model.evaluate(*data, batch_size=8, verbose=0, return_dict=True),
            "next": model.fit(*data, epochs=2, **fit).history,
            "trainable": len(model.trainable_weights),
        }

    keras.utils.set_random_seed(0)
    model, _ = paper()
    model.save_to_preset(folder / "preset")
    expected["preset"] = {"embedding": model.embed(IMAGES).tolist()}

    keras.utils.set_random_seed(0)
    model, labels = multimodal()

    class KilledError(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.params.get("first_batch", 0) + batch == 2 and self.model.killed:
                raise KilledError

        def on_epoch_begin(self, epoch, logs=None):
            self.model.killed = epoch == 1

    data = {"batch_size": 2, "seed": 5}
    checkpoint = ks.training.callbacks.Checkpoint(folder / "checkpoints", every=3, keep=1)
    try:
        dataset = ks.data.from_arrays(IMAGES, LABELS, **data)
        model.fit(dataset, epochs=3, verbose=0, callbacks=[checkpoint, Kill()])
    except KilledError:
        pass
    run = ks.training.resume(folder / "checkpoints")
    dataset = ks.data.from_arrays(IMAGES, LABELS, epoch=run.epoch, first_batch=run.batch, **data)
    history = run.model.fit(dataset, epochs=3, initial_epoch=run.epoch, verbose=0).history
    expected["checkpoints"] = {
        "epoch": run.epoch,
        "batch": run.batch,
        "history": history,
        "embedding": run.model.embed(IMAGES).tolist(),
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
