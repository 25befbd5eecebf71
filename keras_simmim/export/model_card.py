"""The README of a version: what the model is, what it takes and gives, and where it comes from."""

import datetime
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

EXPECTED = ("data", "seed", "metrics")
PACKAGES = ("keras-simmim", "keras", "tensorflow")


def write_card(path: Path, title: str, facts: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Write the `README.md` of a version.

    Args:
        path: folder of the version.
        title: of the page.
        facts: what the export knows by itself.
        card: what whoever trained the model says of it; "data", "seed" and "metrics" are listed
            as not stated where they are missing.
    """
    said = {**dict.fromkeys(EXPECTED, "not stated"), **card}
    versions = {name: _version(name) for name in PACKAGES}
    versions["backend of the model"] = keras.backend.backend()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    parts = [
        f"# {title}\n\nExported by keras_simmim on {today}.",
        _section("Where it comes from", said),
        _section("What it takes and gives", facts),
        _section("Versions", versions),
        "Several images of one request share its fate: one that cannot be decoded fails them all.",
    ]
    (path / "README.md").write_text("\n\n".join(parts) + "\n")


def _section(title: str, entries: Mapping[str, Any]) -> str:
    return f"## {title}\n\n" + "\n".join(_lines(entries))


def _lines(entries: Mapping[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in entries.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}- {name}:", *_lines(value, indent + "  ")]
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            lines.append(f"{indent}- {name}: {shown}")
    return lines


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"
