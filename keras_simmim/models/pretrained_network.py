"""The network of a pretrained model, wherever that is: in memory, in a file, behind a name."""

import os
from pathlib import Path
from typing import Any

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config
from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.models.simmim import SimMIM
from keras_simmim.training.checkpoint_files import newest_model
from keras_simmim.training.keras_file import read_keras


def open_model(address: str | os.PathLike[str]) -> Any:
    """Read a model from wherever it is.

    Args:
        address: a `.keras` file, the folder of a run or of its checkpoints, of which the newest
            that is intact is taken, a run's folder that has only its model, or what
            `SimMIM.from_preset` takes.

    Returns:
        The model, of whatever kind was saved.

    Raises:
        FileNotFoundError: for a `.keras` file that is not there.
        ValueError: for an address that is none of these, or a file that is damaged.

    Example:
    ```python
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    ks.ImageClassifier(backbone, num_classes=2).save("classifier.keras")
    ks.models.open_model("classifier.keras").num_classes   # 2
    ```
    """
    address = os.fspath(address)
    if address.endswith(".keras"):
        return read_keras(address)
    model_file = newest_model(Path(address))
    if model_file is not None:
        model = read_keras(model_file)
        # A run that ends takes the averages of its weights, where it has any.
        model.optimizer.finalize_variable_values(model.trainable_variables)
        return model
    whole = Path(address, "model.keras")
    return read_keras(whole) if whole.exists() else SimMIM.from_preset(address)


def pretrained_network(source: Any) -> tuple[Backbone, Config]:
    """Find the backbone of a pretrained model, and how it takes inputs: mean and std, or tokenizer.

    Args:
        source: a model with a backbone, a `Backbone`, a `.keras` file of one, the folder of a
            run or of its checkpoints, of which the newest that is intact is taken, or what
            `SimMIM.from_preset` takes.

    Raises:
        ValueError: for a source that is none of these.
    """
    if isinstance(source, str | os.PathLike):
        source = open_model(source)
    if isinstance(source, Backbone):
        return source, {}
    if not isinstance(source, BackboneModel):
        raise ValueError(
            "source must be a SimMIM, a Backbone, a .keras file, a run's folder or a preset, "
            f"got {type(source).__name__}."
        )
    return source.backbone, source.inputs_taken.arguments
