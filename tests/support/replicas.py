"""Train on one device and on two replicas alike, and write down what came out.

    KERAS_BACKEND=tensorflow python tests/support/replicas.py FILE.npz

Two logical CPUs are the replicas. Arrays are named "<case>/<one or two>/<what>".
"""

import sys

import keras
import numpy as np
import tensorflow as tf

import keras_simmim as ks

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")
# Of the last image alone, a replica without any counts as one more.
FEW = np.array([1] * 8 + [1 / 2], "float32")


def paper():
    """Masked features, and branches that are skipped at random."""
    backbone = ks.backbones.ViT((8, 8, 3), 2, 2, 2, 8, drop_path_rate=0.5)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 1))


def multimodal():
    """Several views and modalities, and the running scales of their losses."""
    modalities = [ks.masking.Spatial(), ks.masking.Color(), ks.masking.Texture()]
    masking = ks.masking.IterativeMasking(modalities, 2, ratio=(0.5, 0.9), block_size=2)
    return ks.SimMIM(ks.backbones.ViT((8, 8, 3), 4, 1, 1, 8), masking, mask_on="pixels")


def visible():
    """Learned masks, whose visible positions alone are encoded, and skipped branches."""
    masking = ks.masking.LearnedMasking(0.6, 1, ramp_steps=1)
    backbone = ks.backbones.ViT((8, 8, 3), 2, 2, 2, 8, drop_path_rate=0.5)
    return ks.SimMIM(backbone, masking, encode="visible")


def compiled(strategy, make):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = make()
        model.compile(keras.optimizers.SGD(0.02))
    return model


def trained(strategy, make, count, weights=None):
    """Logs and weights after batches of eight."""
    arrays = (IMAGES[:count], np.arange(count, dtype="float32") / count)
    if weights is not None:
        arrays = (*arrays, weights)
    model = compiled(strategy, make)
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(8)
    history = model.fit(data, shuffle=False, verbose=0).history
    moved = {f"weight {index}": weight for index, weight in enumerate(model.get_weights())}
    return {name: values[-1] for name, values in history.items()} | moved


def draws(strategy):
    """What is hidden of, and skipped by, image after image of batches of eight and five."""
    model = compiled(strategy, paper)
    generator, depth = model.mask_generator, model.backbone.encoder.stochastic_depth

    def of_replica(images):
        hidden = generator.draw(images, 3)
        return hidden, tf.transpose(depth.factors(tf.shape(images)[0]), (2, 0, 1))

    batches = tf.data.Dataset.from_tensor_slices(IMAGES[:13]).batch(8)
    run = tf.function(lambda images: strategy.run(of_replica, args=(images,)))
    found = [run(images) for images in strategy.experimental_distribute_dataset(batches)]
    local = strategy.experimental_local_results
    masks, factors = (
        [part for batch in found for part in local(batch[index])] for index in range(2)
    )
    sizes = [len(part) for part in masks]
    return {"masks": np.concatenate(masks), "factors": np.concatenate(factors), "sizes": sizes}


def main(path):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    one = tf.distribute.OneDeviceStrategy("CPU:0")
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    cases = {"draws": (draws(one), draws(two))}
    for make in (paper, multimodal, visible):
        cases[make.__name__] = trained(one, make, 16), trained(two, make, 16)
        # In the last batch of five, three images are one replica's and two the other's.
        cases[f"{make.__name__}, incomplete"] = trained(one, make, 13), trained(two, make, 13)
    # Of the last batch one replica has the only image, and the other none.
    few = trained(one, paper, 9, FEW), trained(two, paper, 9, np.ones_like(FEW))
    cases["paper, too few"] = few
    for make in (multimodal, visible):
        cases[f"{make.__name__}, too few"] = trained(one, make, 8), trained(two, make, 9)
    arrays = {
        f"{case}/{name}/{what}": value
        for case, results in cases.items()
        for name, result in zip(("one", "two"), results, strict=True)
        for what, value in result.items()
    }
    np.savez(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
