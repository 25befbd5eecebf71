"""The files that a run left in its folder."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_simmim.training.callbacks.epoch_table import read_epochs


@dataclass(frozen=True)
class RunFiles:
    """Hold what the files of a run say; what is not there is empty.

    Args:
        record: of `run.json`, by `ks.training.record_run`.
        summary: of `summary.json`, names and values that the run came to.
        epochs: rows of `epochs.csv`, by `callbacks.EpochTable`.
        losses: of `losses.csv`, by `callbacks.StepLosses`: (step, loss).
        pictures: the names of the folder's PNG pictures and their bytes.
    """

    record: dict[str, Any]
    summary: dict[str, Any]
    epochs: list[dict[str, Any]]
    losses: list[tuple[float, float]]
    pictures: dict[str, bytes]

    @classmethod
    def read(cls, folder: Path) -> "RunFiles":
        """Read the files of a run's folder.

        Raises:
            ValueError: for a file that is not what its name says.
        """
        epochs, losses = folder / "epochs.csv", folder / "losses.csv"
        try:
            return cls(
                record=_object(folder / "run.json"),
                summary=_object(folder / "summary.json"),
                epochs=read_epochs(epochs) if epochs.exists() else [],
                losses=_losses(losses) if losses.exists() else [],
                pictures={path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))},
            )
        except (ValueError, KeyError, csv.Error) as error:
            raise ValueError(
                f"folder must hold the files of a run, got {folder}: {error}"
            ) from error

    @property
    def evaluated(self) -> set[str]:
        """Return the names of what evaluators measured: before training too, every few epochs."""
        return {name for row in self.epochs[:1] if row["epoch"] == 0 for name in row} - {"epoch"}

    def curve(self, name: str) -> list[tuple[float, float]]:
        """Return (epoch, value) of a column; of an evaluator's, where it was measured."""
        if name not in self.evaluated:
            return [(row["epoch"], row[name]) for row in self.epochs if name in row]
        return [
            (row["epoch"], row[name])
            for row in self.epochs
            if name in row and row.get("evaluate_seconds", 1) > 0
        ]


def _object(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} holds no object.")
    return value


def _losses(path: Path) -> list[tuple[float, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(float(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]
