"""One export of each kind of model, and photographs of odd sizes to send to them."""

from collections import UserDict
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from encoded_images import encoded

import keras_simmim as ks

GREY, BANDS, BOXES = (16, 16, 1), (16, 24, 5), (32, 48, 3)


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


def segmenter():
    backbone = ks.backbones.Swin(
        (16, 24, 3), patch_size=2, hidden_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4
    )
    return ks.ImageSegmenter(backbone, 3, class_names=["sea", "land", "ice"])


def segmenter_of_bands():
    backbone = ks.backbones.ViT(
        BANDS, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, dtype="mixed_bfloat16"
    )
    return ks.ImageSegmenter(backbone, 3, decoder="fcn", neck_width=8, dtype="mixed_bfloat16")


def detector(kind, **sizes):
    """A detector whose scores differ much, so that no order hangs on the last digit."""
    backbone = ks.backbones.ViT(BOXES, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16)
    model = kind(
        backbone,
        2,
        class_names=["cat", "dog"],
        max_detections=8,
        score_threshold=0.2,
        neck_width=8,
        head_width=8,
        **sizes,
    )
    generator = np.random.default_rng(6)
    heads = [getattr(model, name, None) for name in ("head", "rpn_head", "box_head")]
    for weight in (weight for head in heads if head is not None for weight in head.weights):
        weight.assign(weight + generator.normal(scale=0.5, size=weight.shape))
    return model


@keras.saving.register_keras_serializable("tests.export")
def letters(text):
    """The ids of the letters of a text."""
    return [ord(letter) for letter in text]


def sequences(**arguments):
    """A small transformer of eight tokens in a row."""
    sizes = {"length": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 8}
    return ks.backbones.SequenceTransformer(**{"vocabulary_size": 128, **sizes, **arguments})


def recommender(**arguments):
    """A recommender of twenty items, whose scores differ much."""
    backbone = sequences(vocabulary_size=21, count_from="end", **arguments)
    model = ks.SequenceRecommender(backbone)
    generator = np.random.default_rng(6)
    for weight in model.trainable_weights:
        weight.assign(weight + generator.normal(scale=0.5, size=weight.shape))
    return model


class Exports(UserDict):
    """The exports by kind, each made when it is first asked for."""

    def __init__(self, kinds, folder, alone):
        super().__init__()
        self.kinds, self.folder, self.alone = kinds, folder, alone

    def __missing__(self, kind):
        if kind == "embeddings":
            self.alone.append(kind)
        model, arguments = self.kinds[kind]()
        path = ks.export.export_saved_model(model, self.folder / kind, **arguments)
        self[kind] = Export(model, path, ks.export.ServedModel(path))
        return self[kind]


@pytest.fixture(scope="session")
def exports(make_model, tmp_path_factory, tensorflow_process):
    """The exports by kind."""
    card = {"data": "noise", "metrics": {"accuracy": 0.123456}}
    noise = np.random.default_rng(2).integers(0, 256, (3, 20, 30, 3), dtype="uint8")
    kinds = {
        "embeddings": lambda: (make_model(), {}),
        "classes": lambda: (trained(make_model(num_classes=3)), {"card": card}),
        "warmed up": lambda: (make_model(num_classes=3), {"warmup_images": noise}),
        "classifier": lambda: (grey_classifier(), {}),
        "backbone": lambda: (
            ks.backbones.ConvNet((12, 20, 3)),
            {"mean": (1, 2, 3), "std": 70},
        ),
        "segmenter": lambda: (trained(segmenter()), {"warmup_images": noise}),
        "segmenter of bands": lambda: (segmenter_of_bands(), {}),
        "detector": lambda: (trained(detector(ks.YOLO)), {"warmup_images": noise}),
        "ssd": lambda: (detector(ks.SSD), {}),
        "faster rcnn": lambda: (detector(ks.FasterRCNN, proposals=12, region_size=3), {}),
        "bands": lambda: (bands(), {"class_names": ["field", "forest"]}),
        "texts": lambda: (
            trained(
                ks.TextClassifier(sequences(), 2, class_names=["bad", "good"], tokenizer=letters)
            ),
            {},
        ),
        "tokens": lambda: (
            trained(ks.SimMIM(sequences(), ks.masking.SpatialMasking(0.15, 1))),
            {},
        ),
        "backbone of tokens": lambda: (sequences(), {}),
        "histories": lambda: (trained(recommender()), {"k": 4}),
        "histories and categories": lambda: (recommender(side_features={"category": 5}), {}),
    }
    return Exports(kinds, tmp_path_factory.mktemp("models"), tensorflow_process)


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
