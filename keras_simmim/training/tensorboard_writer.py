"""Numbers, pictures, histograms and texts for TensorBoard, written without TensorFlow."""

import io
import os
import time

import keras
import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class TensorBoardWriter:
    """Appends numbers, pictures, histograms and texts to a TensorBoard log directory.

    Args:
        log_dir: directory of the run, such as "…/logs/train".

    Example:
    ```python
    writer = TensorBoardWriter("runs/first/logs/train")
    writer.picture("reconstructions", sheet, step=0)
    writer.close()
    ```
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self._writer = EventFileWriter(os.fspath(log_dir))

    def picture(self, tag: str, picture: np.ndarray, step: int) -> None:
        """Add a uint8 picture (H, W, 1 or 3)."""
        png = io.BytesIO()
        keras.utils.array_to_img(picture, scale=False).save(png, format="PNG")
        height, width, channels = picture.shape
        image = Summary.Image(
            height=height,
            width=width,
            colorspace=channels,
            encoded_image_string=png.getvalue(),
        )
        self._add(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add a number."""
        self._add(Summary(value=[Summary.Value(tag=tag, simple_value=float(value))]), step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Add the distribution of an array's numbers."""
        self._add(histogram_pb(tag, values), step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Add a text in Markdown."""
        self._add(text_pb(tag, markdown), step)

    def flush(self) -> None:
        """Write what is pending."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self._writer.close()

    def _add(self, summary: Summary, step: int) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
