"""What a run's results depend on beside its settings."""

import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

_PACKAGES = ("keras-simmim", "keras", "tensorflow", "jax", "torch", "numpy")


def environment() -> dict[str, Any]:
    """Versions, command and state of the code, to be stored with a run.

    Returns:
        What `json.dumps` takes: "command" and "python"; "backend"; "packages", versions by name,
        of those that are installed; "git", the commit of the repository that the running script
        lies in, "changed" behind it where files differ from it; None outside of one.

    Example:
    ```python
    sorted(ks.training.environment())   # ['backend', 'command', 'git', 'packages', 'python']
    ```
    """
    return {
        "command": shlex.join(sys.argv),
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "git": _git_state(Path(sys.argv[0]).resolve().parent),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state(folder: Path) -> str | None:
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(folder), *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit} changed" if changes else commit
