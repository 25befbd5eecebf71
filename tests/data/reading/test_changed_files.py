"""Changed files of every format are read, or refused by an error that says why."""

import logging
import sys
from pathlib import Path

import pytest

from keras_simmim.data.reading.encoded_image import MAX_PIXELS
from keras_simmim.data.reading.read_picture import read_picture

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
import format_files
import fuzz

sys.path.pop(0)

pytestmark = pytest.mark.long


# Of damaged files pydicom and Pillow warn, where a test would end.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", fuzz.FORMATS)
def test_changed_files(name, tmp_path):
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    source = fuzz.Fuzz(0)
    whole = format_files.format_files(name, tmp_path)
    reasons, pictures = [], []
    for number in range(300):
        content = whole[list(whole)[number % len(whole)]]
        inside = name == "npz" and number % 2
        changed = fuzz.inside(source, content) if inside else source.bytes(content)
        try:
            pictures.append(
                read_picture(changed, MAX_PIXELS, window=name == "dicom" and number % 3 == 0)
            )
        except ValueError as error:
            reasons.append(str(error))
    assert len(reasons) > 10
    # The checksums of a PNG find every change.
    assert len(pictures) > 1 or name == "deep_png"
    assert all(reason.strip() and "\n" not in reason for reason in reasons)
    for picture in pictures:
        assert picture.pixels.ndim == 3
        assert picture.pixels.dtype.kind in "uif"
        assert picture.pixels.size > 0
        assert picture.names is None or len(picture.names) == picture.channels
