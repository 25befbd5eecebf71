"""Pretrain a few images with all processes there are, slowly enough to be killed.

    python tests/support/pretrained_together.py FOLDER EPOCHS

The first process writes the weights to FOLDER/weights.npz in the end.
"""

import sys
from pathlib import Path

import keras
import numpy as np

import keras_simmim as ks
from keras_simmim.pretraining import choices

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype="uint8")


def main(folder, epochs):
    found = ks.training.distribute(timeout=60)
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.ViT((8, 8, 3), 4, 1, 1, 8, drop_path_rate=0.5)
    masking = ks.masking.SpatialMasking(0.5, 1, views=2)
    agreement = ks.objectives.Agreement("infonce")
    model = ks.SimMIM(backbone, masking, objectives=[ks.objectives.Reconstruction(), agreement])
    # As `ks.pretrain` compiles its own.
    choices.compile_model(model, 1e-3, steps=72)
    model = ks.pretrain(
        IMAGES, epochs=epochs, output=folder, model=model, batch_size=8, save_every=2
    )
    if found.index == 0:
        np.savez(Path(folder) / "weights.npz", *model.get_weights())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
