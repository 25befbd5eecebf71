"""Small models and images that many tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from hypothesis import settings

import keras_simmim as ks

# Compilation makes first calls slow, and a failure must repeat.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("repeatable")

IMAGE_SHAPE = (16, 24, 3)


@pytest.fixture(autouse=True)
def same_weights_in_every_run():
    """Seed the initializers."""
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def images():
    """Eight different images, uint8 (8, 16, 24, 3)."""
    return np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), dtype="uint8")


@pytest.fixture(scope="session")
def labels():
    """Labels of the eight images among three classes, two of them unlabelled."""
    return np.array([0, 1, 2, -1, 2, 1, -1, 0])


@pytest.fixture(scope="session")
def make_model():
    """A function that makes a SimMIM of one transformer block over 4×6 patches, 2×3 blocks."""

    def make(num_classes=None, **arguments):
        backbone = ks.backbones.ViT(
            IMAGE_SHAPE, patch_size=4, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=32
        )
        classifier = None if num_classes is None else ks.heads.ClassificationHead(num_classes)
        masking = ks.masking.SpatialMasking(
            0.6, block_size=2 if arguments.get("mask_on") != "pixels" else 8
        )
        return ks.SimMIM(backbone, masking, classifier=classifier, **arguments)

    return make
