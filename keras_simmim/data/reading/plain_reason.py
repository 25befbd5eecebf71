"""Why a file cannot be read, as a message for people."""

import re

from keras_simmim.data.reading.formats import TOO_MANY


def plain_reason(message: str, max_pixels: int) -> str:
    """Strip a message of TensorFlow's operation names and of all but its first line.

    Args:
        message: of an error.
        max_pixels: most pixels, to be named where that is the reason.
    """
    first = (message.strip() or "it cannot be read").splitlines()[0]
    first = re.sub(r"\{\{.*?\}\} ?| ?\[Op:\w*\]| name: *$", "", first)
    assertion = re.fullmatch(r"assertion failed: \[b?'?(.*?)'?\]", first)
    reason = (assertion.group(1) if assertion else first).rstrip(" .")
    return f"{reason}={max_pixels}" if reason == TOO_MANY else reason
