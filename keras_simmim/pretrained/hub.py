"""Upload of a model to the Hugging Face hub."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.pretrained import preset_directory
from keras_simmim.pretrained.hub_card import hub_card

_INSTALL = 'pip install "keras-simmim[hub]"'


def push(
    model: BackboneModel,
    name: str,
    run: str | os.PathLike[str] | None = None,
    card: Mapping[str, Any] | None = None,
    private: bool = False,
) -> str:
    """Upload a model with its card; see `BackboneModel.push_to_hub`.

    Returns:
        The address of the upload's page.

    Raises:
        ValueError: for a name of another form, or a run's folder whose files are damaged.
        ImportError: where huggingface_hub is not installed.
        PermissionError: where no token is found.
        ConnectionError: where the hub does not take the model.
    """
    form = re.fullmatch(r"(?:hf://)?([\w.-]+/[\w.-]+)", name, re.ASCII)
    if form is None or ".." in name:
        raise ValueError(f"name must be owner/name, got {name!r}.")
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(f"push_to_hub needs the package huggingface_hub: {_INSTALL}") from error
    if huggingface_hub.get_token() is None:
        raise PermissionError(
            "push_to_hub needs a token that may write: set HF_TOKEN, or run `hf auth login`."
        )
    text = hub_card(model, form[1], run, card or {})
    with tempfile.TemporaryDirectory() as folder:
        preset_directory.save(model, folder)
        (Path(folder) / "README.md").write_text(text, encoding="utf-8")
        client = huggingface_hub.HfApi()
        try:
            client.create_repo(form[1], private=private, exist_ok=True)
            client.upload_folder(
                repo_id=form[1], folder_path=folder, commit_message="Upload by keras_simmim"
            )
        except huggingface_hub.errors.HFValidationError as error:
            raise ValueError(f"name must be owner/name, got {name!r}: {error}") from error
        except Exception as error:
            # The hub's client raises a dozen kinds of its own and of its transport's.
            raise ConnectionError(
                f"{form[1]} could not be brought to the hub: is there a network, and may the token "
                f"write there? {type(error).__name__}: {str(error).partition(chr(10))[0]}"
            ) from error
    return f"{huggingface_hub.constants.ENDPOINT}/{form[1]}"
