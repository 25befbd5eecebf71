"""The fresh process of an export under JAX or torch: `python -m keras_simmim.export FOLDER`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_simmim.export.fresh_process import perform

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        perform(folder)
    except Exception as error:
        (folder / "error.txt").write_text(f"{type(error).__name__}: {error}")
        raise
