"""The folder of a run: what is written there while a model trains, and how it goes on."""

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_simmim.backend import processes
from keras_simmim.evaluation.neighbor_sheet import neighbor_sheet
from keras_simmim.training import callbacks
from keras_simmim.training.checkpoint_files import checkpoints, newest_intact
from keras_simmim.training.report import write_report
from keras_simmim.training.resume import Resumed, resume
from keras_simmim.training.run_record import record_run
from keras_simmim.training.written_once import written_once

# What a run leaves in its folder, beside its checkpoints.
_RECORD, _MODEL, _SUMMARY = "run.json", "model.keras", "summary.json"
_FILES = (
    _RECORD,
    _MODEL,
    "epochs.csv",
    "losses.csv",
    _SUMMARY,
    "report.html",
    "reconstructions.png",
    "neighbors.png",
    "segmentation.png",
    "detection.png",
)
_FOLDERS = ("checkpoints", "logs")
PICTURE_SIDE = 128  # pixels: smaller pictures are enlarged as far as this


class Run:
    """Keep a run in a folder: its record, losses, curves, checkpoints, model and report.

    Of several processes that train together, the first one writes, and all see the folder.

    Args:
        folder: of the run; it is made.
        settings: names and values of all that defines the run, for its record.
        fixed: names of those that a run which goes on must have in common with its beginning.

    Raises:
        ValueError: for a folder with a run that was begun with other settings.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks
    from keras_simmim.pretraining.run import Run

    images = np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), dtype="uint8")
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
    model.compile("adamw")
    run = Run("runs/first", {"seed": 0}, fixed=("seed",))
    run.fit(model, ks.data.metered(ks.data.from_arrays(images, batch_size=4)), epochs=2)
    sorted(path.name for path in run.folder.glob("*.csv"))   # ['epochs.csv', 'losses.csv']
    ```
    """

    def __init__(
        self, folder: str | os.PathLike[str], settings: Mapping[str, Any], fixed: Sequence[str] = ()
    ) -> None:
        self.folder = Path(folder)
        record = self.folder / _RECORD
        self.check(folder, {name: settings[name] for name in fixed})
        if processes.index() == 0:
            record_run(record, settings)
        # The record must be there before another process looks for it.
        processes.wait()
        self.settings = dict(settings)
        self.started = time.time()

    @classmethod
    def check(cls, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        """Raise ValueError if a folder holds a run that was begun with other settings than these.

        Args:
            folder: of the run; one without checkpoints is no run yet.
            settings: by name. Those that the run's record does not hold, as
                records of earlier versions hold fewer, are not compared.
        """
        begun = cls.settings_of(folder) if (Path(folder) / "checkpoints").exists() else {}
        # As they are written: tuples are lists.
        settings = json.loads(json.dumps(dict(settings), default=str))
        for name, now in settings.items():
            if name not in begun or begun[name] == now:
                continue
            told = f"{begun[name]!r}, got {now!r}"
            if name == "images":
                told = (
                    f"{begun[name]} images and there are {now} now (files came or went, or a "
                    "package that reads others was installed)"
                )
            raise ValueError(
                f"{name}: the run in {folder} was begun with {told}; choose another folder, or "
                "overwrite it."
            )

    @staticmethod
    def settings_of(folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Read the settings that a folder's run was last started with; none if there is no run."""
        record = Path(folder) / _RECORD
        if not record.exists():
            return {}
        return dict(json.loads(record.read_text(encoding="utf-8"))["settings"])

    @staticmethod
    def epochs_of(folder: str | os.PathLike[str]) -> int | None:
        """Count the epochs that a folder's run has behind it; None if it has no checkpoint yet."""
        found = newest_intact(Path(folder) / "checkpoints", lambda path, error: None)
        return None if found is None else found[1].epoch

    @staticmethod
    def is_whole(folder: str | os.PathLike[str]) -> bool:
        """Tell whether a folder has the results of its newest checkpoint: see `finish`."""
        summary = Path(folder) / _SUMMARY
        newest = list(checkpoints(Path(folder) / "checkpoints").values())[-1:]
        return summary.exists() and all(
            each.stat().st_mtime <= summary.stat().st_mtime for each in newest
        )

    @staticmethod
    def remove(folder: str | os.PathLike[str]) -> None:
        """Remove what a run left in a folder, and nothing else that is there."""
        for name in _FOLDERS:
            shutil.rmtree(Path(folder) / name, ignore_errors=True)
        for name in _FILES:
            (Path(folder) / name).unlink(missing_ok=True)

    @property
    def checkpoints(self) -> Path:
        """Give the folder of the checkpoints."""
        return self.folder / "checkpoints"

    def interrupted(self, whole_epochs: bool = False) -> Resumed | None:
        """Read the newest checkpoint, if there is one: see `ks.training.resume`."""
        return resume(self.checkpoints, whole_epochs)

    def fit(
        self,
        model: Any,
        dataset: Any,
        epochs: int,
        initial_epoch: int = 0,
        save_every: int | None = None,
        pictures: np.ndarray | None = None,
        candidates: np.ndarray | None = None,
        truth: Any = None,
        evaluators: Sequence[Any] = (),
        others: Sequence[keras.callbacks.Callback] = (),
        shown_channels: Sequence[int] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Train a model, and write all there is to see of it.

        Args:
            model: compiled.
            dataset: what `fit` takes; one of `ks.data.metered` shows its progress on a line.
            epochs: number of the last epoch.
            initial_epoch: number of epochs that are done.
            save_every: steps between two checkpoints within an epoch; None saves epochs alone.
            pictures: a few images to watch: what the model makes of them is shown.
            candidates: images among which those most similar to the pictures are shown.
            truth: masks or boxes of the pictures, to show beside what the model finds.
            evaluators: for `callbacks.Evaluate`, every tenth epoch.
            others: further callbacks.
            shown_channels: numbers of the channels that pictures show as red, green and blue, or of
                one as gray; the first three if None, or the first of one or two.
            **arguments: of `fit`.

        Returns:
            Steps, seconds, images a second, and the loss at the beginning and in the end.
        """
        folder, is_metered = self.folder, hasattr(dataset, "meter")
        losses = callbacks.StepLosses(folder / "losses.csv")
        watched: list[keras.callbacks.Callback] = []
        if is_metered:
            watched.append(callbacks.Telemetry(dataset))
        if evaluators:
            watched.append(callbacks.Evaluate(evaluators, every=10))
        watched.append(callbacks.EpochTable(folder / "epochs.csv"))
        if is_metered:
            watched.append(callbacks.TensorBoard(folder / "logs", self.settings))
            if pictures is not None:
                shown = callbacks.Watch(pictures, folder / "logs", 5, truth, shown_channels)
                watched.append(shown)
            watched.append(callbacks.Progress(dataset))
        watched += [*others, losses, callbacks.Checkpoint(self.checkpoints, save_every)]
        images = dataset.meter.images if is_metered else 0
        started = time.time()
        model.fit(
            dataset,
            epochs=epochs,
            initial_epoch=initial_epoch,
            callbacks=watched,
            verbose=0 if is_metered else 2,
            **arguments,
        )
        seconds = time.time() - started
        self.keep(model, pictures, candidates, truth, shown_channels)
        first, last = losses.first_and_last() if losses.losses else (None, None)
        return {
            "steps": len(losses.losses),
            "seconds": round(time.time() - self.started, 1),
            "images_per_second": is_metered
            and round((dataset.meter.images - images) / max(seconds, 1e-3), 1),
            "loss_first": first,
            "loss_last": last,
        }

    def keep(
        self,
        model: Any,
        pictures: np.ndarray | None = None,
        candidates: np.ndarray | None = None,
        truth: Any = None,
        shown_channels: Sequence[int] | None = None,
    ) -> None:
        """Write a trained model, and pictures of what it learned; see `fit` for the arguments."""
        with written_once(self.folder) as place:
            if place is not None:
                # Renamed when it is whole, as the checkpoints are.
                model.save(place / f".{_MODEL}")
                os.replace(place / f".{_MODEL}", place / _MODEL)
        if pictures is not None:
            self._show(model, pictures, candidates, truth, shown_channels)

    def _show(
        self,
        model: Any,
        pictures: np.ndarray,
        candidates: np.ndarray | None,
        truth: Any,
        shown_channels: Sequence[int] | None,
    ) -> None:
        """Write pictures of what was learned."""
        scale = max(1, PICTURE_SIDE // pictures.shape[1])
        # Models of one's own need not know of it.
        shown = {} if shown_channels is None else {"shown_channels": shown_channels}
        sheets = dict(list(model.sheets(pictures, truth, scale, **shown).items())[:1])
        if candidates is not None:
            vectors = model.embed(candidates)
            count = min(5, len(candidates))
            sheets["neighbors"] = neighbor_sheet(
                pictures, model.embed(pictures), candidates, vectors, count, scale, **shown
            )
        for name, sheet in sheets.items() if processes.index() == 0 else ():
            keras.utils.save_img(self.folder / f"{name}.png", sheet, scale=False)

    def finish(self, summary: Mapping[str, Any]) -> Path:
        """Write the results and the report, and return the report's path."""
        if processes.index() == 0:
            text = json.dumps(dict(summary), indent=2)
            (self.folder / _SUMMARY).write_text(text, encoding="utf-8")
            write_report(self.folder)
        processes.wait()
        return self.folder / "report.html"
