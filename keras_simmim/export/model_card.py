"""The README of a version: what the model is, what it takes and gives, and where it comes from."""

import datetime
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

from keras_simmim.models.backbone_model import BackboneModel

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
        "All of one request share its fate: what cannot be decoded, or is out of range, fails them "
        "all.",
    ]
    (path / "README.md").write_text("\n\n".join(parts) + "\n")


def image_facts(model: BackboneModel, max_pixels: int) -> dict[str, Any]:
    """Say what a model of images takes.

    Args:
        model: that is exported.
        max_pixels: most pixels of an encoded image.
    """
    seen = "the whole image, squeezed" if model.sees_whole else "the largest central crop"
    chosen = {}
    if model.value_range is not None:
        chosen["value range"] = f"{model.value_range}, values of files that become 0 and 255"
    if model.channel_names is not None:
        chosen["channels"] = ", ".join(model.channel_names)
    return {
        "image shape": f"{model.backbone.image_shape}: {seen}, resized",
        **chosen,
        "mean": model.mean,
        "std": model.std,
        "largest encoded image": f"{max_pixels:,} pixels",
    }


def token_facts(model: BackboneModel, tokenizer: str | None, items: int | None) -> dict[str, Any]:
    """Say what a model of sequences takes.

    Args:
        model: that is exported.
        tokenizer: file of its tokenizer, None without one.
        items: how many items it names, None where there are none.
    """
    taken, fields = model.exported_input, model.backbone.fields
    shape = ", ".join("any" if size is None else str(size) for size in taken.shape)
    facts = {
        taken.name: f"int32 ({shape}), 0 is padding",
        "values": {name: f"0 to {size - 1}" for name, size in fields.items()},
    }
    if items is not None:
        facts["items"] = f"the best {items} of {model.num_items:,} that were not seen"
        facts["newest items that count"] = model.backbone.example_shape[0] - 1
        return facts
    facts["tokenizer"] = "none, the graph takes tokens"
    if tokenizer is not None:
        facts["tokenizer"] = f"{tokenizer}, for the client: the graph takes tokens, not texts"
    return facts


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
