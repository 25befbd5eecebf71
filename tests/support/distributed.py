"""Train everything that is random or counts a batch, on what `distribute` finds here.

    python tests/support/distributed.py FILE.npz [CASE …]

What decides how many devices and processes there are is the environment, as for a user: torchrun's
variables, JAX_COORDINATOR_ADDRESS and XLA_FLAGS, TF_CONFIG and LOGICAL_CPUS. The first process
writes logs and weights, named "<case>/<what>".
"""

import os
import sys

import keras
import numpy as np

import keras_simmim as ks

BATCH = 8
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype="uint8")
LABELS = np.arange(32, dtype="int32") % 3
LABELS[::5] = -1
TOKENS = np.random.default_rng(1).integers(1, 20, (32, 6)).astype("int32")
TOKENS[::3, 4:] = 0


def vit(**options):
    return ks.backbones.ViT((8, 8, 3), 2, 2, 2, 8, drop_path_rate=0.5, **options)


def everything():
    """Learned masks, several objectives, a classifier, statistics of the batch."""
    draw = ks.masking.LearnedDraw(ramp_steps=1)
    views = ks.masking.IndependentViews((0.6,), 2)
    masking = ks.masking.MaskGenerator([ks.masking.Spatial()], draw, views, 1)
    objectives = [
        ks.objectives.Reconstruction(),
        ks.objectives.Uniformity(0.5),
        ks.objectives.Agreement("infonce"),
        ks.objectives.Agreement("lejepa", name="lejepa"),
    ]
    classifier = ks.heads.ClassificationHead(3)
    return ks.SimMIM(
        vit(),
        masking,
        objectives=objectives,
        classifier=classifier,
        embedding_metrics=True,
        crops=ks.training.Crops(2, (0.3, 1.0)),
    )


def modalities():
    """Running scales of several modalities, and patches that lose their places."""
    kinds = [ks.masking.Spatial(), ks.masking.Color(), ks.masking.Texture()]
    masking = ks.masking.IterativeMasking(kinds, 2, ratio=(0.5, 0.9), block_size=2)
    objectives = [ks.objectives.Reconstruction(), ks.objectives.Jigsaw(0.5)]
    return ks.SimMIM(vit(), masking, objectives=objectives)


def mixed():
    """Images that are changed, and mixed with others of the batch, wherever they are."""
    changes = {"color_jitter": 0.3, "erasing": 0.5}
    return ks.ImageClassifier(vit(), 3, mixup=0.8, cutmix=1.0, **changes)


def tokens():
    """Texts of several lengths, of which each replica hides another number of tokens."""
    backbone = ks.backbones.SequenceTransformer(
        20, length=6, num_layers=1, num_heads=2, hidden_dim=8
    )
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.4, 1))


def segmented():
    """Mosaics of images wherever they are, masks that ignore other pixels on each replica."""
    crops = ks.training.JointCrops(mosaic=0.5)
    return ks.ImageSegmenter(
        vit(), 3, decoder="fcn", neck_width=8, dice_weight=0.5, augmentation=crops
    )


def detected():
    """Objects of which each replica has another number, mixed with those of others."""
    crops = ks.training.JointCrops(scale=(0.25, 4.0), mosaic=0.5, mixup=0.5)
    return ks.YOLO(vit(), 2, neck_width=8, augmentation=crops)


CASES = {
    "everything": (everything, lambda: (IMAGES, LABELS)),
    "modalities": (modalities, lambda: (IMAGES,)),
    "mixed": (mixed, lambda: (IMAGES, np.abs(LABELS))),
    "tokens": (tokens, lambda: (TOKENS,)),
    "segmented": (segmented, lambda: (IMAGES, MASKS)),
    "detected": (detected, lambda: (IMAGES, OBJECTS)),
}
MASKS = (IMAGES[..., 0] // 86).astype("uint8")
MASKS[::4, :4] = 255
OBJECTS = {
    "boxes": np.tile(np.float32([[1, 1, 6, 5], [2, 3, 8, 8]]), (32, 1, 1)),
    "labels": np.random.default_rng(2).integers(-1, 2, (32, 2)),
}


def trained(make, arrays):
    """Logs of every step and the weights after 20 of them."""
    # A seed with which no two blocks have all but the same score on any backend: rounding would
    # decide which of them a learned mask hides.
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.SGD(0.02, global_clipnorm=1.0))
    steps = []

    def kept(batch, logs):
        steps.append({name: float(value) for name, value in logs.items()})

    log = keras.callbacks.LambdaCallback(on_train_batch_end=kept)
    model.fit(*arrays, batch_size=BATCH, epochs=5, shuffle=False, verbose=0, callbacks=[log])
    found = {name: [step[name] for step in steps] for name in steps[0]}
    found |= {f"weight {index}": weight for index, weight in enumerate(model.get_weights())}
    # What comes after training works on any number of images.
    found["embedded"] = model.embed(arrays[0][:3])
    predicted = model.predict(arrays[0][:5], verbose=0)
    found["predicted"] = np.concatenate([*map(np.ravel, keras.tree.flatten(predicted))])
    if len(arrays) > 1:
        images, targets = keras.tree.map_structure(lambda array: array[:7], arrays)
        evaluated = model.evaluate(images, targets, verbose=0, return_dict=True)
        found |= {f"evaluated {name}": value for name, value in evaluated.items()}
    return found


def main(path, *names):
    if keras.backend.backend() == "tensorflow" and "LOGICAL_CPUS" in os.environ:
        import tensorflow as tf

        cpus = [tf.config.LogicalDeviceConfiguration()] * int(os.environ["LOGICAL_CPUS"])
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, cpus)
    found = ks.training.distribute(timeout=60)
    print(found, flush=True)
    arrays = {}
    for name in names or CASES:
        make, data = CASES[name]
        arrays |= {f"{name}/{what}": value for what, value in trained(make, data()).items()}
    if found.index == 0:
        np.savez(path, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
