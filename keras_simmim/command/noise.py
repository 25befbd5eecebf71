"""What C and C++ code of the frameworks writes to the process' error output, without its noise."""

import atexit
import os
import re
import sys
import threading

# Notes of TensorFlow and of what it is made of, and libjpeg's words on each broken file.
_NOISE = re.compile(
    rb"[IW]\d{4} |\d{4}-\d\d-\d\d .*: [IW] |WARNING: All log messages before absl::|"
    rb"To enable the following instructions|Improper call to JPEG library|"
    rb"\w+ JPEG (data|file|marker)|Premature end of JPEG|libpng warning"
)


def leave_out_noise() -> None:
    """Let lines that are noise disappear; whatever Python writes is not looked at."""
    shown = os.dup(2)
    read, write = os.pipe()
    os.dup2(write, 2)
    os.close(write)
    sys.stderr = open(  # noqa: SIM115 - it stays open as long as the process lives.
        shown, "w", buffering=1, encoding=sys.stderr.encoding, errors="replace", closefd=False
    )
    reader = threading.Thread(target=_pass_on, args=(read, shown), daemon=True)
    reader.start()

    def give_back() -> None:
        # The last one that writes to the pipe: the reader comes to its end.
        os.dup2(shown, 2)
        reader.join(timeout=1)

    atexit.register(give_back)


def _pass_on(read: int, shown: int) -> None:
    """Write each line that is read and no noise."""
    with open(read, "rb", buffering=0) as pipe:
        rest = b""
        while part := pipe.read(65536):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if not _NOISE.match(line):
                    os.write(shown, line + b"\n")
        if rest and not _NOISE.match(rest):
            os.write(shown, rest)
