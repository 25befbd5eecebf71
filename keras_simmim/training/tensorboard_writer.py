"""Write TensorBoard's log files without TensorFlow.

TensorBoard is imported when a log is opened, so that whoever writes none can do without it.
"""

import io
import os
import time
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_simmim.backend import processes

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary


class TensorBoardWriter:
    """Append numbers, pictures, histograms and texts to a TensorBoard log directory.

    Of several processes that train together, the first one writes.

    Args:
        log_dir: directory of the run, such as "…/logs/train".

    Raises:
        ImportError: where TensorBoard is not installed.

    Example:
    ```python
    import numpy as np

    from keras_simmim.training.tensorboard_writer import TensorBoardWriter

    writer = TensorBoardWriter("runs/first/logs/train")
    writer.picture("reconstructions", np.zeros((8, 8, 3), "uint8"), step=0)
    writer.close()
    ```
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoard's logs need the package tensorboard: pip install tensorboard"
            ) from error
        is_first = processes.index() == 0
        self._writer = EventFileWriter(os.fspath(log_dir)) if is_first else None

    def picture(self, tag: str, picture: np.ndarray, step: int) -> None:
        """Add a uint8 picture (H, W, 1 or 3)."""
        from tensorboard.compat.proto.summary_pb2 import Summary

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
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._add(Summary(value=[Summary.Value(tag=tag, simple_value=float(value))]), step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Add the distribution of an array's numbers."""
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb

        self._add(histogram_pb(tag, values), step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Add a text in Markdown."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(text_pb(tag, markdown), step)

    def flush(self) -> None:
        """Write what is pending."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Write what is pending and close the file."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, summary: "Summary", step: int) -> None:
        """Add what is to be shown at a step."""
        from tensorboard.compat.proto.event_pb2 import Event

        if self._writer is not None:
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
