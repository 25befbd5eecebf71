"""What is served equals what the model predicts, from files that hold nothing else."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import keras_simmim as ks

# Elsewhere an export takes a process with TensorFlow.
EXPORTS = pytest.mark.long if keras.backend.backend() != "tensorflow" else ()
KINDS = (
    pytest.param("classes", marks=EXPORTS),
    *(
        pytest.param(kind, marks=pytest.mark.long)
        for kind in ("embeddings", "classifier", "backbone")
    ),
)
OTHERS = [
    pytest.param(kind, marks=pytest.mark.long)
    for kind in ("bands", "segmenter", "detector", "ssd", "faster rcnn")
]
SEQUENCES = [pytest.param(kind, marks=pytest.mark.long) for kind in ("texts", "histories")]


def predicted(model, pixels):
    """The outputs of `predict` and `embed` on decoded images."""
    if isinstance(model, ks.backbones.Backbone):
        normalised = (pixels - np.float32([1, 2, 3])) / 70
        return {"embedding": model.predict(normalised, verbose=0).mean((1, 2))}
    outputs = {"embedding": model.embed(pixels)}
    if model.classifier is not None:
        outputs["probabilities"] = model.predict(pixels, verbose=0)
    return outputs


def decoded(folder, shape):
    """The images of a folder as a data set gives them when nothing is random."""
    dataset = ks.data.image_folder(folder, shape[:2], training=False, channels=shape[-1])
    return np.concatenate(list(dataset.as_numpy_iterator())), dataset.file_paths


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_pixels_give_what_predict_gives(exports, photographs, kind):
    export = exports[kind]
    backbone = getattr(export.model, "backbone", export.model)
    pixels, paths = decoded(photographs, backbone.image_shape)
    files = [Path(path).read_bytes() for path in paths]
    expected = predicted(export.model, pixels)
    assert len({pixel.tobytes() for pixel in pixels}) == len(files) == 10

    answers = {
        "files": export.served.predict(files),
        "pixels": export.served.predict(images=pixels),
        "embed": export.served.predict(files, signature="embed"),
    }
    for name, answer in answers.items():
        wanted = {"embedding"}
        if name != "embed" and "probabilities" in expected:
            wanted = {"probabilities", "classes"}
        assert set(answer) == wanted
        for output in wanted - {"classes"}:
            assert answer[output].dtype == np.float32
            np.testing.assert_allclose(answer[output], expected[output], atol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", KINDS[:1])
def test_one_bad_image_fails_its_request_and_is_named(exports, photographs, kind):
    served = exports[kind].served
    one, other = [path.read_bytes() for path in sorted(photographs.iterdir())[:2]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\] \[2\] \[is not"):
        served.predict([one, other, b"?", one])
    assert served.predict([one, other])["probabilities"].shape == (2, 3)


@pytest.mark.long
def test_one_image_at_a_time_gives_the_same(exports, photographs):
    served = exports["classes"].served
    files = [path.read_bytes() for path in sorted(photographs.iterdir())[:3]]
    together = served.predict(files)["probabilities"]
    alone = [served.predict([file])["probabilities"][0] for file in files]
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.long
def test_every_column_has_its_name(exports, images):
    pixels = np.zeros((2, 16, 16, 1), "uint8")
    names = exports["classifier"].served.predict(images=pixels)["classes"]
    assert names.tolist() == [[b"dull", b"bright"]] * 2
    names = exports["classes"].served.predict(images=images[:1])["classes"]
    assert names.tolist() == [[b"0", b"1", b"2"]]


@pytest.mark.long
def test_other_channels_and_bfloat16_take_pixels_and_give_float32(exports):
    export = exports["bands"]
    pixels = np.random.default_rng(4).integers(0, 256, (3, 16, 24, 5), dtype="uint8")
    expected = export.model.predict(pixels, verbose=0)
    answer = export.served.predict(images=pixels, signature="serving_default")
    assert answer["classes"].tolist() == [[b"field", b"forest"]] * 3
    assert answer["probabilities"].dtype == np.float32
    np.testing.assert_allclose(answer["probabilities"], expected, atol=0.02)
    embedding = export.served.predict(images=pixels, signature="embed")["embedding"]
    assert embedding.dtype == np.float32
    assert embedding.shape == (3, 16)
    with pytest.raises(ValueError, match="takes 'image_bytes'"):
        export.served.predict([b""])


def nodes(path):
    """All nodes of a SavedModel's graph and of the functions that it calls."""
    saved = saved_model_pb2.SavedModel.FromString(Path(path, "saved_model.pb").read_bytes())
    (graph,) = [meta.graph_def for meta in saved.meta_graphs]
    yield from graph.node
    for function in graph.library.function:
        assert not function.attr["_XlaMustCompile"].b
        yield from function.node_def


@pytest.mark.parametrize("kind", [*KINDS, *OTHERS, *SEQUENCES])
def test_the_graph_has_standard_operations_only(exports, kind):
    found = {node.op for node in nodes(exports[kind].path)}
    functions = {name for name in found if name.startswith("__inference")}
    assert {"Softmax", "MatMul", "Conv2D"} & found
    assert all(hasattr(tf.raw_ops, name) for name in found - functions)
    assert not [name for name in found if "Random" in name or "Multinomial" in name]
    assert not [name for name in found if name.startswith(("Xla", "PyFunc", "EagerPyFunc"))]
    assert not any(node.attr["_XlaMustCompile"].b for node in nodes(exports[kind].path))


@pytest.mark.parametrize("kind", [*KINDS, *OTHERS[1:]])
def test_weights_that_only_train_stay_behind(exports, kind):
    model = exports[kind].model
    saved = tf.train.list_variables(f"{exports[kind].path}/variables/variables")
    shapes = sorted(tuple(shape) for name, shape in saved if "VARIABLE_VALUE" in name)
    heads = ("classifier",)
    if isinstance(model, ks.ImageSegmenter | ks.ObjectDetector):
        heads = ("neck", "decoder", "feature_pyramid", "head", "rpn_head", "box_head")
    parts = [getattr(model, "backbone", model), *(getattr(model, name, None) for name in heads)]
    used = [tuple(weight.shape) for part in parts if part is not None for weight in part.weights]
    # "backbone" is the ConvNet whose every weight counts, too.
    assert shapes == sorted(used)


@pytest.mark.long
def test_saved_model_cli_shows_the_names(exports, monkeypatch, capsys):
    from tensorflow.python.tools import saved_model_cli

    command = ["saved_model_cli", "show", "--dir", exports["classes"].path, "--all"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit):
        saved_model_cli.main()
    shown = capsys.readouterr().out
    for line in (
        "signature_def['serving_default']",
        "inputs['image_bytes'] tensor_info",
        "outputs['probabilities'] tensor_info",
        "outputs['classes'] tensor_info",
        "signature_def['images']",
        "signature_def['embed']",
        "outputs['embedding'] tensor_info",
    ):
        assert line in shown
    assert "dtype: DT_UINT8\n        shape: (-1, 16, 24, 3)" in shown


@pytest.mark.long
def test_the_card_says_what_is_known_and_what_is_not(exports):
    card = Path(exports["classes"].path, "README.md").read_text()
    for line in (
        "- data: noise",
        "- seed: not stated",
        "  - accuracy: 0.1235",
        "- classes: 0, 1, 2",
    ):
        assert line in card
    assert f"- keras: {keras.__version__}" in card
    assert f"- backend of the model: {keras.backend.backend()}" in card
    plain = Path(exports["backbone"].path, "README.md").read_text()
    assert "- mean: (1.0, 2.0, 3.0)" in plain
    assert "- metrics: not stated" in plain


@pytest.mark.long
def test_every_warmup_request_is_answered(exports):
    from tensorflow_serving.apis import prediction_log_pb2

    export = exports["warmed up"]
    file = f"{export.path}/assets.extra/tf_serving_warmup_requests"
    seen = []
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "warmed up"
        signature = request.model_spec.signature_name
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = export.served.predict(**inputs, signature=signature)
        seen.append((signature, *inputs, *(len(value) for value in answer.values())))
    assert seen == [
        ("serving_default", "image_bytes", 1, 1),
        ("serving_default", "image_bytes", 3, 3),
        ("images", "images", 1, 1),
        ("images", "images", 3, 3),
        ("embed", "image_bytes", 1),
        ("embed", "image_bytes", 3),
    ]


@pytest.mark.turned(2)
@pytest.mark.long
@pytest.mark.parametrize("kind", ["classes", "segmenter", "detector", "faster rcnn"])
def test_what_xla_compiles_answers_alike(exports, kind, tmp_path):
    export = exports[kind]
    path = ks.export.export_saved_model(export.model, tmp_path / "compiled", jit_compile=True)
    served, shape = ks.export.ServedModel(path), export.model.backbone.image_shape
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype="uint8")
    # Of another number of images, another program.
    for count in (3, 1):
        expected = export.served.predict(images=pixels[:count])
        answer = served.predict(images=pixels[:count])
        assert set(answer) == set(expected)
        for name, values in expected.items():
            if values.dtype.kind == "f":
                # Boxes are in pixels.
                near = 1e-3 if name == "boxes" else 1e-4
                np.testing.assert_allclose(answer[name], values, atol=near, err_msg=name)
            else:
                np.testing.assert_array_equal(answer[name], values, err_msg=name)


@pytest.mark.long
def test_wrong_arguments_are_named(make_model, tmp_path):
    export = ks.export.export_saved_model
    model, backbone = make_model(num_classes=3), make_model().backbone
    plain = np.zeros((1, 8, 8, 3), "uint8")
    with pytest.raises(ValueError, match="model must be a SimMIM"):
        export(keras.Sequential(), tmp_path / "m")
    with pytest.raises(ValueError, match="class_names must be 3 strings"):
        export(model, tmp_path / "m", class_names=["one"])
    with pytest.raises(ValueError, match="needs a model with a classifier"):
        export(backbone, tmp_path / "m", class_names=["one"])
    with pytest.raises(ValueError, match="mean and std are for a bare backbone"):
        export(model, tmp_path / "m", mean=3)
    with pytest.raises(ValueError, match="std must be one positive number"):
        export(backbone, tmp_path / "m", std=0)
    with pytest.raises(ValueError, match=r"warmup_images must be uint8 \(N, height, width, 3\)"):
        export(model, tmp_path / "m", warmup_images=plain.astype("float32"))
    with pytest.raises(ValueError, match="max_pixels must be at least 1"):
        export(model, tmp_path / "m", max_pixels=0)
    with pytest.raises(TypeError, match="directory must be a path"):
        export(model, 3)
    assert not (tmp_path / "m").exists()


def test_the_public_names_come_when_asked_for():
    assert {"ServedModel", "export_onnx", "export_saved_model"} <= set(dir(ks.export))
    with pytest.raises(AttributeError, match="no attribute 'export_lite'"):
        ks.export.export_lite  # noqa: B018
