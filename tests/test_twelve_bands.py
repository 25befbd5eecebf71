"""Twelve bands of floats, from TIFFs to a served model: the same numbers all along."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

import keras_simmim as ks
from keras_simmim.evaluation.lay_out import GAP
from keras_simmim.pretraining.run import PICTURE_SIDE, Run

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

SHAPE = (16, 24, 12)
RANGE = (-0.25, 1.5)
NAMES = [f"B{number:02}" for number in range(1, 13)]
COLORS = (3, 2, 1)


def tags():
    items = "".join(
        f'<Item name="DESCRIPTION" sample="{sample}" role="description">{name}</Item>'
        for sample, name in enumerate(NAMES)
    )
    return [(42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Sixteen scenes of two classes, the raw values, and a mask of each: bright where band 8 is."""
    folder = tmp_path_factory.mktemp("scenes")
    generator = np.random.default_rng(0)
    values = generator.uniform(-0.5, 1.0, (16, *SHAPE)).astype("float32")
    (folder / "masks").mkdir()
    for number, pixels in enumerate(values):
        label = ("land", "sea")[number % 2]
        (folder / "images" / label).mkdir(parents=True, exist_ok=True)
        (folder / "masks" / label).mkdir(parents=True, exist_ok=True)
        pixels[:8] += (number % 2) * 0.7
        path = folder / "images" / label / f"{number:02}.tif"
        tifffile.imwrite(
            path,
            pixels,
            photometric="minisblack",
            planarconfig="contig",
            extratags=tags(),
            metadata=None,
        )
        mask = (pixels[..., 7] > 0.5).astype("uint8")
        Image.fromarray(mask).save(folder / "masks" / label / f"{number:02}.png")
    (folder / "images" / "land" / "broken.tif").write_bytes(path.read_bytes()[:700])
    order = [number for start in (0, 1) for number in range(start, 16, 2)]
    return folder, values[order]


def original(sheet, column, count, scale=1):
    """The picture of a column of the first row of a sheet, whose last ones end at its edge."""
    height, width = 16 * scale, 24 * scale
    left = sheet.shape[1] - (count - column) * (width + GAP) + GAP
    return sheet[:height, left : left + width][::scale, ::scale]


def folder_of(scenes, batch_size=8, **options):
    given = {"channels": "all", "value_range": RANGE, **options}
    return ks.data.image_folder(scenes[0] / "images", SHAPE[:2], batch_size, **given)


@pytest.fixture(scope="module")
def pretrained(scenes):
    dataset = folder_of(scenes, labels=None)
    backbone = ks.backbones.ViT(SHAPE, 8, num_layers=1, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
    model.compile(keras.optimizers.AdamW(1e-3))
    history = model.fit(dataset, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert len(dataset.broken_files) == 1
    return model


def test_what_was_read_reaches_the_model_and_its_files(scenes, pretrained, tmp_path):
    assert pretrained.value_range == RANGE
    assert pretrained.channel_names == NAMES
    pretrained.save(tmp_path / "model.keras")
    pretrained.save_to_preset(tmp_path / "preset")
    others = [
        keras.saving.load_model(tmp_path / "model.keras"),
        ks.SimMIM.from_preset(str(tmp_path / "preset")),
        ks.ImageClassifier.from_pretrained(tmp_path / "model.keras", num_classes=2),
    ]
    for model in others:
        assert model.value_range == RANGE
        assert model.channel_names == NAMES
        config = model.get_config()
        assert (tuple(config["value_range"]), list(config["channel_names"])) == (RANGE, NAMES)


def test_a_run_keeps_it_and_shows_what_was_chosen(scenes, tmp_path):
    dataset = ks.data.metered(folder_of(scenes, labels=None))
    pictures = next(iter(folder_of(scenes, labels=None, training=False).as_numpy_iterator()))[:2]
    backbone = ks.backbones.ViT(SHAPE, 8, num_layers=1, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
    model.compile(keras.optimizers.AdamW(1e-3))
    run = Run(tmp_path, {"seed": 0})
    options = {"pictures": pictures, "candidates": pictures, "shown_channels": COLORS}
    summary = run.fit(model, dataset, epochs=1, **options)
    assert run.finish(summary).exists()
    resumed = run.interrupted().model
    assert (resumed.value_range, resumed.channel_names) == (RANGE, NAMES)
    shown = np.asarray(Image.open(tmp_path / "reconstructions.png"))
    for column, picture in enumerate(pictures):
        found = original(shown, column, 2, scale=PICTURE_SIDE // 16)
        assert np.abs(found.astype(int) - picture[..., COLORS]).max() <= 1
    neighbors = np.asarray(Image.open(tmp_path / "neighbors.png"))
    assert neighbors.shape[-1] == 3
    report = (tmp_path / "report.html").read_text()
    assert "reconstructions.png" in report


def test_two_channels_can_be_shown(pretrained, scenes):
    batch = next(iter(folder_of(scenes, labels=None, training=False).as_numpy_iterator()))[:2]
    sheet = ks.evaluation.reconstruction_sheet(pretrained, batch, shown_channels=(7, 0))
    shown = original(sheet, 0, 2).astype(int)
    assert shown[..., 2].max() == 0
    assert np.abs(shown[..., :2] - batch[0][..., [7, 0]]).max() <= 1
    pictures = pretrained.reconstruct(batch, shown_channels=COLORS)
    assert pictures["masked"].shape == (2, 16, 24, 3)
    assert pretrained.reconstruct(batch)["masked"].shape == (2, *SHAPE)


def test_a_classifier_serves_what_it_learned(scenes, pretrained, tmp_path):
    classifier = ks.ImageClassifier.from_pretrained(pretrained, 2, recipe="auto")
    classifier.fit(folder_of(scenes), epochs=2, verbose=0)
    assert classifier.value_range == RANGE
    dataset = folder_of(scenes, 16, training=False)
    images = np.concatenate([batch for batch, _ in dataset.as_numpy_iterator()])
    expected = classifier.predict(images, verbose=0)
    served = ks.export.ServedModel(ks.export.export_saved_model(classifier, tmp_path / "scenes"))
    raw = scenes[1].copy()
    found = served.predict(images=raw)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert {name.decode() for name in found["classes"][0]} == {"land", "sea"}
    # What was not a number when the model learned is none now.
    raw[0, 3, 4] = np.nan
    assert np.isfinite(served.predict(images=raw)["probabilities"]).all()
    card = (tmp_path / "scenes" / "1" / "README.md").read_text()
    assert "(-0.25, 1.5), values of files that become 0 and 255" in card
    assert "B01, B02" in card


def test_a_segmenter_learns_from_the_same_files(scenes, pretrained, tmp_path):
    folder, values = scenes
    options = {"channels": "all", "value_range": RANGE}
    pairs = (folder / "images", folder / "masks", SHAPE[:2], 8)
    segmenter = ks.ImageSegmenter.from_pretrained(pretrained, 2, neck_width=8)
    segmenter.compile(keras.optimizers.AdamW(1e-3))
    segmenter.fit(ks.data.segmentation_folder(*pairs, **options), epochs=1, verbose=0)
    dataset = ks.data.segmentation_folder(*pairs, training=False, **options)
    images, masks = (
        np.concatenate(part) for part in zip(*dataset.as_numpy_iterator(), strict=True)
    )
    np.testing.assert_array_equal(masks, values[..., 7] > 0.5)
    expected = segmenter.predict(images, verbose=0)
    served = ks.export.ServedModel(ks.export.export_saved_model(segmenter, tmp_path / "sea"))
    found = served.predict(images=values)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    sheet = segmenter.sheets(images[:2], masks[:2], shown_channels=COLORS)["segmentation"]
    assert np.abs(original(sheet, 1, 2).astype(int) - images[1][..., COLORS]).max() <= 1


def test_a_network_for_other_runtimes_takes_the_files_values_too(scenes, pretrained, tmp_path):
    import onnxruntime

    path = ks.export.export_onnx(pretrained, tmp_path / "scenes.onnx")
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(["embedding"], {"images": scenes[1]})
    dataset = folder_of(scenes, 16, labels=None, training=False)
    np.testing.assert_allclose(found, pretrained.embed(dataset), atol=1e-4)


# Sixteen scenes of noise teach nothing.
@pytest.mark.filterwarnings("ignore:the embeddings collapse:UserWarning")
def test_a_data_set_pretrains_by_one_call(scenes, tmp_path):
    dataset = folder_of(scenes, labels=None)
    model = ks.pretrain(dataset, epochs=1, output=tmp_path)
    assert model.value_range == RANGE
    assert model.channel_names == NAMES


def test_another_range_or_other_channels_are_refused(scenes, pretrained):
    with pytest.raises(ValueError, match=r"x has value_range=\(0.0, 1.0\), but the model learned"):
        pretrained.fit(folder_of(scenes, labels=None, value_range=(0, 1)), verbose=0)
    turned = folder_of(scenes, labels=None, channels=tuple(range(11, -1, -1)))
    with pytest.raises(ValueError, match=r"x has channel_names=\['B12', .* but the model's are"):
        pretrained.fit(turned, verbose=0)
    other = folder_of(scenes, labels=None, value_range=(0, 1), training=False)
    with pytest.raises(ValueError, match="validation_data has value_range"):
        pretrained.fit(folder_of(scenes, labels=None), validation_data=other, verbose=0)
    with pytest.raises(ValueError, match="images has value_range"):
        pretrained.embed(folder_of(scenes, labels=None, value_range=(0, 1)))


def test_names_and_ranges_that_do_not_fit_are_refused():
    backbone = ks.backbones.ViT(SHAPE, 8, num_layers=1, num_heads=2, hidden_dim=8)
    with pytest.raises(ValueError, match="channel_names must be 12, one for each channel, got"):
        ks.models.ImageModel(backbone, channel_names=["a", "b"])
    with pytest.raises(ValueError, match="value_range must satisfy low < high"):
        ks.models.ImageModel(backbone, value_range=(1, 0))
    tokens = ks.backbones.SequenceTransformer(9, 5, num_layers=1, num_heads=2, hidden_dim=4)
    with pytest.raises(ValueError, match="value_range must be None for tokens"):
        ks.models.ImageModel(tokens, value_range=(0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_pngs_of_16_bits_are_served_as_they_were_read(channels, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 5000, (4, 16, 24, 3), "uint16")
    for number, pixels in enumerate(values[:3]):
        contents = tf.io.encode_png(pixels if number else pixels[..., :1]).numpy()
        (folder / f"{number}.png").write_bytes(contents)
    Image.fromarray((values[3] // 20).astype("uint8")).save(folder / "3.png")
    options = {"channels": channels, "value_range": (0, 4095), "training": False}
    dataset = ks.data.image_folder(folder, (16, 24), **options)
    backbone = ks.backbones.ConvNet((16, 24, channels), (4,))
    model = ks.models.ImageModel(backbone, value_range=dataset.value_range)
    model.build((None, 16, 24, channels))
    served = ks.export.ServedModel(ks.export.export_saved_model(model, tmp_path / "deep"))
    contents = [path.read_bytes() for path in sorted(folder.iterdir())]
    found = served.predict(image_bytes=contents)["embedding"]
    np.testing.assert_allclose(found, model.embed(dataset), atol=1e-4)
