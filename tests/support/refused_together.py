"""Train two processes on what does not fit together, and print what each says of it.

    python tests/support/refused_together.py [SECONDS | late]

With SECONDS the other process is waited for so long, and nothing else is tried; with "late" the
model is made before the devices are chosen.
"""

import os
import sys
import time

import keras
import numpy as np

import keras_simmim as ks

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype="uint8")


def made(ratio=0.5):
    backbone = ks.backbones.ViT((8, 8, 3), 2, 1, 2, 8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio, 2))
    model.compile("sgd")
    return model


def tell(name, function):
    """Print what a function raises, in a line."""
    try:
        function()
    except (ValueError, RuntimeError) as error:
        print(f"{name}: {type(error).__name__}: {error}", flush=True)
    else:
        print(f"{name}: nothing is raised", flush=True)


def late():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpus = [tf.config.LogicalDeviceConfiguration()] * int(os.environ["LOGICAL_CPUS"])
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, cpus)
    model = made()
    ks.training.distribute()
    tell("late", lambda: model.fit(IMAGES, batch_size=8, verbose=0))


def main(seconds=None):
    if seconds == "late":
        late()
        return
    if seconds is not None:
        began = time.monotonic()
        tell("missing", lambda: ks.training.distribute(timeout=float(seconds)))
        print(f"after {time.monotonic() - began} seconds", flush=True)
        return
    index = ks.training.distribute(timeout=60).index
    model = made()
    whole = ks.data.from_arrays(IMAGES, image_size=8, batch_size=8, shard=0, shards=1)
    tell("data", lambda: model.fit(IMAGES + np.uint8(index), batch_size=8, verbose=0))
    tell("batches", lambda: model.fit(IMAGES[: 16 + 16 * index], batch_size=8, verbose=0))
    tell("model", lambda: made(0.5 + 0.2 * index).fit(IMAGES, batch_size=8, verbose=0))
    tell("batch size", lambda: model.fit(IMAGES, batch_size=7, verbose=0))
    tell("uncut", lambda: model.fit(whole, verbose=0))
    if keras.backend.backend() == "torch":
        import torch

        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        tell("wrapped", lambda: wrapped.module.fit(IMAGES, batch_size=8, verbose=0))
    tell("all is well", lambda: made().fit(IMAGES, batch_size=8, verbose=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
