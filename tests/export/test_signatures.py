"""What models say of themselves, which is all that the exports know of them."""

import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

FOUND = {"boxes", "scores", "labels", "names", "size"}


def small(kind, **arguments):
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    return kind(backbone, 2, neck_width=8, **arguments)


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("kind", [ks.ImageSegmenter, ks.YOLO])
def test_a_dense_model_embeds_by_its_backbone_and_not_by_its_neck(images, kind):
    model = small(kind)
    exported = model.exported(ops.cast(images, "float32"))
    embedding = ops.convert_to_numpy(exported["embedding"])
    np.testing.assert_allclose(embedding, model.embed(images), rtol=1e-4, atol=1e-5)
    assert "embedding" not in model.exported(ops.cast(images, "float32"), raw=True)


@pytest.mark.fast_on("torch")
def test_models_say_what_they_answer_with_and_how_much_of_an_image_they_see(make_model):
    embeds, classifies, segments, detects = (
        make_model(),
        make_model(num_classes=3),
        small(ks.ImageSegmenter),
        small(ks.YOLO, head_width=8),
    )
    answers = [set(m.signatures["serving_default"]) for m in (embeds, classifies, segments)]
    classes = {"classes"}
    assert answers == [
        {"embedding"},
        {"probabilities"} | classes,
        {"class_map_bytes"} | classes,
    ]
    assert set(detects.signatures["serving_default"]) == FOUND
    assert set(segments.signatures) == {"serving_default", "probabilities", "images", "embed"}
    for model in (embeds, classifies, segments, detects):
        assert model.signatures["embed"] == ("embedding",)
        assert model.sees_whole == (model in (segments, detects))
