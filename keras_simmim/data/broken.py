"""The files that cannot be read: named, counted, and then skipped or raised."""

import logging
import re
import threading

import tensorflow as tf

from keras_simmim.data.decoding import decode_box

LOGGER = logging.getLogger("keras_simmim")


class BrokenFiles:
    """Keeps the reason why each broken file is broken.

    Args:
        paths: all files of the data set.
        channels: channels to decode them to.
        on_error: `"skip"` to log a broken file, `"raise"` to raise an error that names it.
    """

    def __init__(self, paths: list[str], channels: int, on_error: str) -> None:
        self.paths = paths
        self.channels = channels
        self.on_error = on_error
        self.reasons: dict[str, str] = {}
        self._lock = threading.Lock()

    def check_first(self) -> None:
        """Finds one intact file, so that a data set without any fails at once.

        Raises:
            ValueError: if all files are broken, or if the first is and `on_error` is `"raise"`.
        """
        for index, path in enumerate(self.paths):
            if why_broken(path, self.channels) is None:
                return
            self.record(index)

    def record(self, index: int) -> bool:
        """Notes that a file could not be read, and logs it once.

        Args:
            index: its place in `paths`.

        Returns:
            False, which tells a filter to drop it.

        Raises:
            ValueError: if `on_error` is `"raise"`, or if no intact file is left.
        """
        path = self.paths[index]
        reason = why_broken(path, self.channels) or "could not be read once"
        if self.on_error == "raise":
            raise ValueError(f"broken image {path!r}: {reason}.")
        with self._lock:
            if path not in self.reasons:
                LOGGER.warning("Skipped the broken image %r: %s.", path, reason)
            self.reasons[path] = reason
        if len(self.reasons) == len(self.paths):
            raise ValueError(
                f"all {len(self.paths)} images are broken, at last {path!r}: {reason}."
            )
        return False

    def drop(self, index: tf.Tensor) -> tf.Tensor:
        """Calls `record` from within a graph, where nothing else can give names and reasons."""
        dropped = tf.numpy_function(self.record, [index], tf.bool)
        return tf.ensure_shape(dropped, ())


def why_broken(path: str, channels: int) -> str | None:
    """Returns why the file at `path` is no intact image, None if it is one."""
    try:
        contents = tf.io.read_file(path)
        if not contents.numpy():
            return "the file is empty"
        decode_box(contents, lambda shape: tf.concat([[0, 0], shape[:2]], axis=0), channels)
    except (tf.errors.OpError, ValueError) as error:
        return _plain(getattr(error, "message", str(error)))
    return None


def _plain(message: str) -> str:
    """Strips a TensorFlow message of its operation names and its second line."""
    first = message.strip().splitlines()[0]
    first = re.sub(r"\{\{.*?\}\} ?| ?\[Op:\w*\]| name: *$", "", first)
    assertion = re.fullmatch(r"assertion failed: \[b?'?(.*?)'?\]", first)
    return (assertion.group(1) if assertion else first).rstrip(" .")
