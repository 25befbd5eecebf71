"""The folder in which indexes of shards and downloaded shards are kept."""

import os
from typing import Any

from keras_simmim.data import arguments


def cache_folder(cache_dir: Any) -> str:
    """Return the folder that an argument names, or the one in the user's cache directory."""
    if cache_dir is not None:
        return arguments.as_path("cache_dir", cache_dir)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "keras_simmim")
