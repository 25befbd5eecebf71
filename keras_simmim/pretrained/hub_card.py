"""The model card of an upload: what the model is, what it was made of, and how to load it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.training.report.line_chart import number
from keras_simmim.training.report.run_files import RunFiles

EXPECTED = ("data", "license")
_TAGS = ("keras", "self-supervised-learning", "masked-image-modeling")
# Of a configuration, what says nothing of how the model was made, or stands elsewhere in the card.
_LEFT_OUT = {"name", "dtype", "trainable", "frozen_parts", "mean", "std", "tokenizer"}


def hub_card(
    model: BackboneModel,
    name: str,
    run: str | os.PathLike[str] | None,
    card: Mapping[str, Any],
) -> str:
    """Write a model card in the hub's format, Markdown below a few lines of YAML.

    Args:
        model: that is uploaded.
        name: "owner/name".
        run: folder of the run that made it, for its settings and results; or None.
        card: what whoever trained the model says of it; "data" and "license" are listed as not
            stated where they are missing.

    Raises:
        FileNotFoundError: for a run's folder that is not there.
        ValueError: for one whose files are damaged.
    """
    files = _files(run)
    settings = _told(files.record.get("settings", {}))
    said = {**dict.fromkeys(EXPECTED, "not stated"), **card}
    if "data" in settings:
        said["data"] = card.get("data", settings.pop("data"))
    sections = {
        "What it is": _facts(model),
        "Where it comes from": said,
        "Recipe": {**_recipe(model), **settings},
        "Results": _told(files.summary),
        "Versions": files.record.get("versions", {}),
    }
    parts = [
        _head(card.get("license")),
        f"# {name.partition('/')[2]}",
        f"A `{type(model).__name__}` of keras_simmim.",
        "## Load it",
        _code(model, name),
        *(_table(title, entries) for title, entries in sections.items() if entries),
    ]
    return "\n\n".join(parts) + "\n"


def _files(run: str | os.PathLike[str] | None) -> RunFiles:
    if run is None:
        return RunFiles({}, {}, [], [], {})
    if not Path(run).is_dir():
        raise FileNotFoundError(f"run must be the folder of a run, there is no {run}.")
    return RunFiles.read(Path(run))


def _head(license_name: Any) -> str:
    """Write what the hub reads by itself; a license that it has no name for is another one."""
    lines = ["library_name: keras-simmim", "tags:", *(f"- {tag}" for tag in _TAGS)]
    if license_name is not None:
        is_name = re.fullmatch(r"[a-z0-9.-]+", str(license_name))
        lines.append(f"license: {license_name if is_name else 'other'}")
    return "\n".join(["---", *lines, "---"])


def _code(model: BackboneModel, name: str) -> str:
    kind, taken = type(model), model.exported_input
    is_own = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    place = f"ks.models.{kind.__name__}" if is_own else kind.__name__
    shape = ", ".join(["N", *("any" if size is None else str(size) for size in taken.shape[1:])])
    lines = ["import keras_simmim as ks"]
    if not is_own:
        lines.append(f"from {kind.__module__} import {kind.__name__}")
    lines += ["", f'model = {place}.from_preset("hf://{name}")']
    if model.predicted != "embedding":
        lines.append(f"predictions = model.predict({taken.name})  # {taken.name}: ({shape})")
    lines.append(f"embeddings = model.embed({taken.name})  # {taken.name}: ({shape})")
    return "\n".join(["```python", *lines, "```"])


def _facts(model: BackboneModel) -> dict[str, Any]:
    facts: dict[str, Any] = {"parameters": f"{model.count_params():,}"}
    if not model.backbone.takes_tokens:
        facts["takes"] = f"images of {model.backbone.image_shape}, values 0–255"
        facts["mean"], facts["deviation"] = model.mean, model.std
    if model.class_names:
        facts["classes"] = ", ".join(model.class_names)
    return facts


def _recipe(model: BackboneModel) -> dict[str, str]:
    """Describe the parts that a model was made of, and what it was trained by."""
    config = {**model.get_config(), "optimizer": None}
    if model.compiled:
        config["optimizer"] = keras.saving.serialize_keras_object(model.optimizer)
    return {
        key: f"`{_described(value)}`"
        for key, value in config.items()
        if value is not None and key not in {*_LEFT_OUT, "class_names"}
    }


def _described(value: Any) -> str:
    """Write what Keras serialized as the call that makes it."""
    if isinstance(value, Mapping):
        config = value.get("config", value.get("items", {}))
        if not isinstance(config, Mapping):
            return str(config)
        arguments = ", ".join(
            f"{key}={_described(each)}"
            for key, each in config.items()
            if each is not None and each is not False and key not in _LEFT_OUT
        )
        return f"{value.get('class_name', '')}({arguments})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_described, value))}]"
    return number(value) if isinstance(value, float) else str(value)


def _told(values: Mapping[str, Any]) -> dict[str, str]:
    """Keep the numbers and words of a run; its paths are nobody else's business."""
    told = {}
    for key, value in values.items():
        if isinstance(value, float):
            told[key] = number(value)
        elif isinstance(value, int | str | list) and not re.search(r"[/\\]", str(value)):
            told[key] = f"{value:,}" if type(value) is int else str(value)
    return told


def _table(title: str, entries: Mapping[str, Any]) -> str:
    rows = (f"| {_cell(key)} | {_cell(value)} |" for key, value in entries.items())
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *rows])


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", r"\|")
