"""Training from arrays needs neither TensorFlow nor TensorBoard, unless TensorFlow computes."""

from pathlib import Path

import keras
import pytest
from support.without_tensorflow import last_line

TRAIN = Path(__file__).parent / "support" / "train_from_arrays.py"

if keras.backend.backend() != "tensorflow":

    @pytest.mark.long
    def test_arrays_are_enough(tmp_path):
        line = last_line(TRAIN.read_text(), tmp_path)
        assert line == "trained without tensorflow, tensorboard"
