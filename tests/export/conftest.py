"""One export of each kind of model, and photographs of odd sizes to send to them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from encoded_images import encoded

import keras_simmim as ks

GREY, BANDS = (16, 16, 1), (16, 24, 5)


@dataclass
class Export:
    """A model and what was exported of it."""

    model: keras.Model
    path: str
    served: ks.export.ServedModel


def trained(model):
    """The model with an optimizer that has state, which no export may hold."""
    model.compile("adam")
    return model


def grey_classifier():
    backbone = ks.backbones.Swin(
        GREY, patch_size=2, hidden_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4
    )
    return ks.ImageClassifier(backbone, 2, class_names=["dull", "bright"], mean=100, std=50)


def bands():
    backbone = ks.backbones.ViT(BANDS, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16,
                                dtype="mixed_bfloat16")  # fmt: skip
    head = ks.heads.ClassificationHead(2, dtype="mixed_bfloat16")
    masking = ks.masking.SpatialMasking(0.5, 1)
    return ks.SimMIM(backbone, masking, classifier=head, dtype="mixed_bfloat16")


@pytest.fixture(scope="session")
def exports(make_model, tmp_path_factory, tensorflow_process):
    """The exports by kind."""
    folder = tmp_path_factory.mktemp("models")
    noise = np.random.default_rng(2).integers(0, 256, (3, 20, 30, 3), dtype="uint8")
    kinds = {
        "embeddings": (make_model(), {}),
        "classes": (
            trained(make_model(num_classes=3)),
            {"warmup_images": noise, "card": {"data": "noise", "metrics": {"accuracy": 0.123456}}},
        ),
        "classifier": (grey_classifier(), {}),
        "backbone": (ks.backbones.ConvNet((12, 20, 3)), {"mean": (1, 2, 3), "std": 70}),
        "bands": (bands(), {"class_names": ["field", "forest"]}),
    }

    def export(kind):
        model, arguments = kinds[kind]
        path = ks.export.export_saved_model(model, folder / kind, **arguments)
        return Export(model, path, ks.export.ServedModel(path))

    tensorflow_process.append("embeddings")
    # TensorFlow traces one graph at a time; two processes work side by side.
    workers = 1 if keras.backend.backend() == "tensorflow" else 2
    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(kinds, pool.map(export, kinds), strict=True))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """A folder of ten JPEG and PNG files of random pixels, of ten odd sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(3)
    for index in range(10):
        height, width = 2 * generator.integers(3, 40, 2) + 1
        pixels = generator.integers(0, 256, (height, width, 3), dtype="uint8")
        kind = "png" if index % 3 == 0 else "jpeg"
        (folder / f"{index}.{kind}").write_bytes(encoded(pixels, kind.upper()))
    return folder
