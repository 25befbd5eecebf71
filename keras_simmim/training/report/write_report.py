"""The report of a run as one HTML file."""

import base64
import os
import statistics
from collections.abc import Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from keras_simmim.training.callbacks.progress import duration
from keras_simmim.training.report.charts import Chart, charts_of
from keras_simmim.training.report.line_chart import line_chart, number
from keras_simmim.training.report.run_files import RunFiles

CAPTIONS = {
    "reconstructions.png": "Images, for every masked view what the network saw of them, and the "
    "same with what it filled in.",
    "neighbors.png": "Images, and beside each those that the network finds most similar.",
    "segmentation.png": "Images, their true classes, and those that the network gives every pixel, "
    "as colors.",
    "detection.png": "The true boxes of images, and those that the network finds, in the colors of "
    "their classes.",
}


# What tells most about a model, as shares.
MEASURES = {
    "knn_accuracy": "kNN",
    "probe_accuracy": "linear probe",
    "mean_iou": "mean IoU",
    "mAP50": "mAP50",
}


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write `report.html` into a run's folder, from the files that the run left there.

    It shows the curves of `epochs.csv` and `losses.csv`, the folder's PNG pictures, the results of
    `summary.json`, and the settings, versions, command, git state and machine of `run.json`. What
    is not there is left out, so that a run that still goes on, or was killed, has a report too.
    The page is one file without scripts; it asks for nothing from elsewhere.

    Args:
        folder: the run's folder.

    Returns:
        The path of the report.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for a file that is not what its name says.

    Example:
    ```python
    import keras_simmim as ks

    ks.training.record_run("runs/first/run.json", {"seed": 0})
    ks.training.write_report("runs/first").name   # report.html
    ```
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be that of a run, there is no {folder}.")
    page = _page(folder.resolve().name, RunFiles.read(folder))
    aside = folder / ".report.html.part"
    aside.write_text(page, encoding="utf-8")
    return aside.replace(folder / "report.html")


def _page(name: str, files: RunFiles) -> str:
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    record = files.record
    git = record.get("git") or {}
    starts = [run.get("started") for run in (*record.get("earlier", []), record)]
    known = {
        "started": starts[0],
        "gone on with": starts[-1] if len(starts) > 1 else None,
        "backend": record.get("backend"),
        "commit": git.get("commit", "")[:10] + (" and changes" if git.get("changed_files") else ""),
    }
    line = " · ".join(f"{title} {escape(str(value))}" for title, value in known.items() if value)
    facts = {
        "Settings": record.get("settings"),
        "Results": files.summary,
        "Versions": record.get("versions"),
        "Machine": record.get("hardware"),
        "Code": git,
    }
    # Those that are known, in the order of the captions, and then all others.
    pictures = sorted(files.pictures, key=[*CAPTIONS, *files.pictures].index)
    sections = [
        _tiles(files),
        _section("Curves", "".join(map(_chart, charts_of(files))), "charts"),
        _section("Pictures", "".join(_picture(name, files.pictures[name]) for name in pictures)),
        _section("Facts", "".join(_table(*item) for item in facts.items()), "tables"),
        _section("Command", _command(record)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(name)} · keras_simmim</title><style>{style}</style></head><body><main>"
        f'<header><p class="kind">keras_simmim</p><h1>{escape(name)}</h1>'
        f'<p class="line">{line}</p></header>{"".join(sections)}</main></body></html>\n'
    )


def _section(title: str, content: str, layout: str = "plain") -> str:
    if not content:
        return ""
    return f'<section><h2>{title}</h2><div class="{layout}">{content}</div></section>'


def _tiles(files: RunFiles) -> str:
    """Write the few numbers that one looks for first."""
    tiles = []
    values = [loss for _, loss in files.losses] or [y for _, y in files.curve("loss")]
    if values:
        tenth = max(1, len(values) // 10)
        first, last = statistics.fmean(values[:tenth]), statistics.fmean(values[-tenth:])
        tiles.append(("loss, first and last tenth", f"{number(first, 3)} → {number(last, 3)}"))
    for name, title in MEASURES.items():
        if name in files.evaluated:
            curve = files.curve(name)
            change = f"{curve[0][1]:.1%} → {curve[-1][1]:.1%}"
            tiles.append((f"{title}, before and after", change))
    if isinstance(accuracy := files.summary.get("accuracy"), float):
        tiles.append(("accuracy, held out", f"{accuracy:.1%}"))
    # The first epoch has the compilation in it.
    speeds = [speed for _, speed in files.curve("images_per_second")]
    if speeds:
        tiles.append(
            ("images per second, usual epoch", number(statistics.median(speeds[1:] or speeds), 3))
        )
    if waits := [share for _, share in files.curve("data_wait_share")]:
        tiles.append(("waiting for data", f"{statistics.median(waits[1:] or waits):.1%}"))
    if seconds := [value for _, value in files.curve("epoch_seconds")]:
        tiles.append((f"in {len(seconds)} epochs", duration(sum(seconds))))
    if skipped := max((count for _, count in files.curve("skipped_steps")), default=0):
        tiles.append(("steps skipped, not finite", number(skipped)))
    cells = (
        f"<div><strong>{escape(value)}</strong><span>{escape(title)}</span></div>"
        for title, value in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>' if tiles else ""


def _chart(chart: Chart) -> str:
    drawing = line_chart(chart.curves, chart.x_label, chart.dots)
    if not drawing:
        return ""
    last = ""
    if len(chart.curves) == 1:
        (points,) = chart.curves.values()
        last = f'<span class="last">{number(points[-1][1])}</span>'
    legend = "".join(
        f'<span class="key k{index}">{escape(name.replace("_", " "))} '
        f"<b>{number(points[-1][1])}</b></span>"
        for index, (name, points) in enumerate(chart.curves.items())
        if len(chart.curves) > 1 and points
    )
    return (
        f'<figure class="card"><figcaption><b>{escape(chart.title)}</b>{last}</figcaption>'
        f'{drawing}<p class="legend">{legend}</p></figure>'
    )


def _picture(name: str, contents: bytes) -> str:
    encoded = base64.b64encode(contents).decode("ascii")
    caption = escape(CAPTIONS.get(name, name))
    return (
        f'<figure class="card picture"><div><img alt="{escape(name)}" '
        f'src="data:image/png;base64,{encoded}"></div><figcaption>{caption}</figcaption></figure>'
    )


def _table(title: str, values: Mapping[str, Any] | None) -> str:
    rows = "".join(
        f"<tr><th>{escape(str(name).replace('_', ' '))}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in (values or {}).items()
    )
    return f'<div class="card"><h3>{title}</h3><table>{rows}</table></div>' if rows else ""


def _text(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "–" if value is None else str(value)


def _command(record: Mapping[str, Any]) -> str:
    runs = [*reversed(record.get("earlier", [])), record]
    lines = [
        f"{run.get('started', '')}  KERAS_BACKEND={run.get('backend', '')} {run['command']}"
        for run in runs
        if "command" in run
    ]
    return f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""
