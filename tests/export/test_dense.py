"""Segmenters and detectors as they are served: of whole files, in the pixels that were sent."""

import io
import json
import urllib.request
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import encoded
from PIL import Image
from serving_emulator import Rest

import keras_simmim as ks

pytestmark = pytest.mark.long

FOUND = ("boxes", "scores", "labels")


def whole(folder, shape):
    """The images of a folder, each squeezed as a whole, and their files."""
    crop = ks.data.WholeImage(shape[:2])
    dataset = ks.data.image_folder(folder, crop=crop, training=False)
    files = [Path(path).read_bytes() for path in dataset.file_paths]
    return np.concatenate(list(dataset.as_numpy_iterator())), files


def opened(contents):
    """The pixels of a gray PNG."""
    image = Image.open(io.BytesIO(contents))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.array(image)


def assert_class_maps(files, model, pixels):
    """Whether these are files of what the model sees in these pixels."""
    expected = model.segment(pixels)
    maps = np.stack([opened(contents) for contents in files])
    second, first = np.sort(model.predict(pixels, verbose=0), axis=-1)[..., -2:].T
    is_close = (first - second < 1e-4).T
    assert is_close.mean() < 0.01
    np.testing.assert_array_equal(np.where(is_close, expected, maps), expected)
    assert len(np.unique(maps)) > 1


@pytest.mark.parametrize("count", [1, 3, 10])
def test_class_maps_are_what_segment_gives(exports, photographs, count):
    export = exports["segmenter"]
    pixels, files = whole(photographs, (16, 24, 3))
    answer = export.served.predict(files[:count])
    assert set(answer) == {"class_map_bytes", "classes"}
    assert_class_maps(answer["class_map_bytes"], export.model, pixels[:count])
    assert answer["classes"].tolist() == [[b"sea", b"land", b"ice"]] * count


def test_probabilities_come_when_asked_for(exports, photographs):
    export = exports["segmenter"]
    pixels, files = whole(photographs, (16, 24, 3))
    expected = export.model.predict(pixels, verbose=0)
    of_files = export.served.predict(files, signature="probabilities")
    for answer in (of_files, export.served.predict(images=pixels)):
        assert set(answer) == {"probabilities"}
        assert answer["probabilities"].dtype == np.float32
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["segmenter", "detector"])
def test_embeddings_are_what_embed_gives(exports, photographs, kind):
    export = exports[kind]
    pixels, files = whole(photographs, export.model.backbone.image_shape)
    answer = export.served.predict(files, signature="embed")
    assert set(answer) == {"embedding"}
    np.testing.assert_allclose(answer["embedding"], export.model.embed(pixels), atol=1e-4)


def assert_detected(answer, model, pixels, sizes):
    """Whether these are the boxes that the model finds, in pixels of images of these sizes."""
    assert set(answer) == {*FOUND, "names", "size"}
    np.testing.assert_array_equal(answer["size"], sizes)
    height, width, _ = model.backbone.image_shape
    for image, expected in enumerate(model.detect(pixels, score=0.0)):
        count = len(expected["labels"])
        assert 0 < count <= 8
        rows, columns = np.divide(sizes[image], (height, width))
        scaled = expected["boxes"] * np.float32([columns, rows, columns, rows])
        np.testing.assert_allclose(answer["boxes"][image, :count], scaled, atol=1e-2)
        np.testing.assert_allclose(answer["scores"][image, :count], expected["scores"], atol=1e-4)
        np.testing.assert_array_equal(answer["labels"][image, :count], expected["labels"])
        names = [model.class_names[label].encode() for label in expected["labels"]]
        assert answer["names"][image].tolist() == names + [b""] * (8 - count)
        assert (answer["labels"][image, count:] == -1).all()
    assert [answer[name].dtype for name in FOUND] == [np.float32, np.float32, np.int32]


@pytest.mark.parametrize(
    ("kind", "count"),
    [("detector", 1), ("detector", 3), ("detector", 10), ("ssd", 3), ("faster rcnn", 3)],
)
def test_boxes_are_what_detect_gives(exports, photographs, kind, count):
    export = exports[kind]
    pixels, files = whole(photographs, (32, 48, 3))
    sizes = [Image.open(io.BytesIO(contents)).size[::-1] for contents in files[:count]]
    answer = export.served.predict(files[:count])
    assert_detected(answer, export.model, pixels[:count], sizes)
    of_pixels = export.served.predict(images=pixels[:count])
    assert_detected(of_pixels, export.model, pixels[:count], [(32, 48)] * count)


def test_boxes_lie_in_the_image_as_it_is_looked_at(exports):
    upright = np.random.default_rng(7).integers(0, 256, (50, 20, 3), dtype="uint8")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    lying = encoded(np.rot90(upright), "PNG", exif=exif)
    served = exports["detector"].served
    turned, expected = served.predict([lying]), served.predict([encoded(upright, "PNG")])
    assert turned["size"].tolist() == [[50, 20]]
    for name in FOUND:
        np.testing.assert_allclose(turned[name], expected[name], atol=1e-4)


def test_other_channels_and_bfloat16_take_pixels(exports):
    export = exports["segmenter of bands"]
    pixels = np.random.default_rng(4).integers(0, 256, (3, 16, 24, 5), dtype="uint8")
    answer = export.served.predict(images=pixels, signature="probabilities")["probabilities"]
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, export.model.predict(pixels, verbose=0), atol=0.03)
    maps = export.served.predict(images=pixels, signature="serving_default")
    maps = np.stack([opened(contents) for contents in maps["class_map_bytes"]])
    np.testing.assert_array_equal(maps, answer.argmax(axis=-1))


@pytest.mark.parametrize("kind", ["segmenter", "detector"])
def test_a_bad_image_is_an_error_and_the_next_request_is_answered(exports, kind):
    served = exports[kind].served
    file = encoded(np.zeros((20, 30, 3), "uint8"))
    for signature in ("serving_default", "embed"):
        before = served.predict([file], signature=signature)
        for contents, message in ((b"?", r"\[1\] \[is not a JPEG or PNG"), (file[:200], "JPEG")):
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                served.predict([file, contents], signature=signature)
        for name, value in served.predict([file], signature=signature).items():
            np.testing.assert_array_equal(before[name], value)
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not compatible"):
        served.predict(images=np.zeros((1, 24, 16, 3), "uint8"))


@pytest.mark.parametrize("kind", ["segmenter", "detector"])
def test_every_warmup_request_is_answered(exports, kind):
    from tensorflow_serving.apis import prediction_log_pb2

    export = exports[kind]
    file = f"{export.path}/assets.extra/tf_serving_warmup_requests"
    seen = []
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        signature = request.model_spec.signature_name
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = export.served.predict(**inputs, signature=signature)
        seen.append((signature, *inputs, len(next(iter(answer.values())))))
    assert seen == [
        (signature, "images" if signature == "images" else "image_bytes", count)
        for signature in export.model.signatures
        for count in (1, 3)
    ]


def test_the_card_says_that_nothing_is_cropped(exports):
    for kind, classes in (("segmenter", "sea, land, ice"), ("detector", "cat, dog")):
        card = Path(exports[kind].path, "README.md").read_text()
        assert f"{exports[kind].model.backbone.image_shape}: the whole image, squeezed" in card
        assert f"- classes: {classes}" in card


def test_class_maps_pass_through_json(exports):
    file = encoded(np.random.default_rng(8).integers(0, 256, (20, 30, 3), dtype="uint8"))
    instances = [{"image_bytes": {"b64": b64encode(file).decode()}}]
    served = exports["segmenter"].served
    with Rest(served, "zones", 1) as server:
        address = f"http://{server.address}/v1/models/zones:predict"
        request = urllib.request.Request(address, json.dumps({"instances": instances}).encode())
        with urllib.request.urlopen(request, timeout=60) as response:
            (row,) = json.load(response)["predictions"]
    (expected,) = served.predict([file])["class_map_bytes"]
    assert b64decode(row["class_map_bytes"]["b64"]) == expected
    assert row["classes"] == ["sea", "land", "ice"]
