"""The ONNX file gives what `predict` gives, in a runtime without Keras and TensorFlow."""

import os

import numpy as np
import onnxruntime
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.long


@pytest.mark.usefixtures("tensorflow_process")
def test_onnxruntime_gives_what_predict_gives(make_model, images, tmp_path):
    model = make_model(num_classes=3)
    path = ks.export.export_onnx(model, tmp_path / "new" / "model.onnx")
    assert os.listdir(tmp_path / "new") == ["model.onnx"]
    session = onnxruntime.InferenceSession(path)
    (taken,) = session.get_inputs()
    assert (taken.name, taken.type, taken.shape[1:]) == ("images", "tensor(float)", [16, 24, 3])
    names = ["probabilities", "embedding"]
    for count in (8, 1):  # batches of any size
        pixels = images[:count].astype("float32")
        probabilities, embedding = session.run(names, {"images": pixels})
        np.testing.assert_allclose(probabilities, model.predict(pixels, verbose=0), atol=1e-4)
        np.testing.assert_allclose(embedding, model.embed(pixels), atol=1e-4)


@pytest.mark.turned(2)
@pytest.mark.usefixtures("tensorflow_process")
@pytest.mark.parametrize("decoder", ["unet", "fcn"])
def test_onnxruntime_gives_a_segmenters_probabilities(images, tmp_path, decoder):
    backbone = ks.backbones.Swin(
        (16, 24, 3), patch_size=2, hidden_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4
    )
    model = ks.ImageSegmenter(backbone, 3, decoder=decoder)
    session = onnxruntime.InferenceSession(ks.export.export_onnx(model, tmp_path / "model.onnx"))
    assert [output.name for output in session.get_outputs()] == ["probabilities"]
    for count in (8, 1):
        pixels = images[:count].astype("float32")
        (probabilities,) = session.run(None, {"images": pixels})
        np.testing.assert_allclose(probabilities, model.predict(pixels, verbose=0), atol=1e-4)


@pytest.mark.turned(3)
@pytest.mark.usefixtures("tensorflow_process")
@pytest.mark.parametrize("kind", [ks.YOLO, ks.SSD, ks.FasterRCNN])
def test_onnxruntime_gives_a_detectors_candidates(images, tmp_path, kind):
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    model = kind(backbone, 2, neck_width=8, head_width=8)
    session = onnxruntime.InferenceSession(ks.export.export_onnx(model, tmp_path / "model.onnx"))
    names = ["candidates", "candidate_scores"]
    assert {output.name for output in session.get_outputs()} == set(names)
    for count in (8, 1):
        pixels = images[:count].astype("float32")
        found = session.run(names, {"images": pixels})
        expected = model.raw_outputs(model.features(ops.array(pixels)))
        for name, value in zip(names, found, strict=True):
            np.testing.assert_allclose(value, ops.convert_to_numpy(expected[name]), atol=1e-3)


def test_wrong_arguments_are_named(make_model, tmp_path):
    with pytest.raises(ValueError, match=r"path must end in .onnx, got 'model'"):
        ks.export.export_onnx(make_model(), "model")
    with pytest.raises(ValueError, match="model must be a SimMIM"):
        ks.export.export_onnx(None, tmp_path / "model.onnx")
    backbone = ks.backbones.ConvNet((8, 8, 3), dtype="mixed_bfloat16")
    with pytest.raises(
        ValueError, match=r"model must be float32 for ONNX, got \['float32', 'mixed_bf"
    ):
        ks.export.export_onnx(backbone, tmp_path / "model.onnx")
    (tmp_path / "there.onnx").write_text("")
    with pytest.raises(FileExistsError, match="exists already"):
        ks.export.export_onnx(make_model(), tmp_path / "there.onnx")
    assert os.listdir(tmp_path) == ["there.onnx"]


@pytest.mark.usefixtures("tensorflow_process")
def test_onnxruntime_gives_what_texts_and_tokens_give(tmp_path):
    backbone = ks.backbones.SequenceTransformer(
        20, length=6, num_layers=1, num_heads=2, hidden_dim=8
    )
    tokens = np.random.default_rng(0).integers(0, 20, (8, 6), dtype="int32")
    # A function that no file can hold; the network does without.
    classifier = ks.TextClassifier(backbone, 3, tokenizer=lambda text: [len(text)])
    session = onnxruntime.InferenceSession(
        ks.export.export_onnx(classifier, tmp_path / "texts.onnx")
    )
    (taken,) = session.get_inputs()
    assert (taken.name, taken.type, taken.shape[1:]) == ("tokens", "tensor(int32)", [6])
    for count in (8, 1):
        probabilities, embedding = session.run(
            ["probabilities", "embedding"], {"tokens": tokens[:count]}
        )
        expected = classifier.predict(tokens[:count], verbose=0)
        np.testing.assert_allclose(probabilities, expected, atol=1e-4)
        np.testing.assert_allclose(embedding, classifier.embed(tokens[:count]), atol=1e-4)


@pytest.mark.usefixtures("tensorflow_process")
@pytest.mark.parametrize("features", [{}, {"category": 5}])
def test_onnxruntime_gives_a_recommenders_scores(tmp_path, features):
    backbone = ks.backbones.SequenceTransformer(
        20,
        length=6,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        side_features=features,
        count_from="end",
    )
    recommender = ks.SequenceRecommender(backbone)
    path = ks.export.export_onnx(recommender, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path)
    generator = np.random.default_rng(0)
    for count, width in ((4, 3), (1, 6), (3, 11)):
        histories = generator.integers(0, 5, (count, width, 1 + len(features)), dtype="int32")
        histories = histories if features else histories[..., 0]
        (scores,) = session.run(["item_scores"], {"histories": histories})
        assert scores.shape == (count, 20)
        np.testing.assert_allclose(scores, recommender.scores(histories), atol=1e-4)
