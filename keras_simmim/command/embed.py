"""keras-simmim embed: a vector for every image of a folder."""

import argparse
import os
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.opened import files_of_rows, open_model, plain_images
from keras_simmim.command.written_whole import written_whole


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "embed",
        run,
        "write a vector for every image of a folder",
        "Similar images have similar ones. FILE.npy "
        "holds float32 (images, numbers) and FILE.txt the images' names, a line for each row; "
        "FILE.parquet holds both. Broken images are named and left out.",
        ["embed --model runs/photos --data photos --output photos.npy"],
    )
    arguments.add_model(parser)
    arguments.add_data(parser, "a folder of images, in sub-folders or not")
    parser.add_argument(
        "--output",
        required=True,
        type=arguments.ending(".npy", ".parquet"),
        metavar="FILE",
        help="new file, .npy or .parquet",
    )
    parser.add_argument("--batch-size", type=arguments.at_least(1), default=64, metavar="N")
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Embed."""
    arguments.check_folder("--data", options.data)
    arguments.check_output(options.output)
    as_table = options.output.suffix.lower() == ".parquet"
    if as_table and not start.is_installed("pyarrow"):
        raise CommandError(
            f"--output {options.output}: needs pyarrow: pip install 'keras-simmim[parquet]'"
        )
    start.load(options.backend, debug=options.debug)
    from keras_simmim.command.progress import shown

    model = open_model(options.model)
    dataset = plain_images(options.data, model, options.batch_size, labels=None)
    embeddings = shown(dataset, lambda images: model.embed(images, options.batch_size))
    # One a line, whatever a name has in it.
    names = [
        Path(os.path.relpath(path, options.data)).as_posix().replace("\n", "\\n")
        for path in files_of_rows(dataset)
    ]
    if as_table:
        _write_table(options.output, names, embeddings)
        print(f"{options.output}: {len(names)} rows, of a name and {embeddings.shape[1]} numbers.")
        return
    listed = options.output.with_suffix(".txt")
    _write_array(options.output, embeddings)
    _write_text(listed, names)
    print(f"{options.output}: float32 {embeddings.shape}; {listed}: the files' names, a line each.")


def _write_array(file: Path, array: Any) -> None:
    import numpy as np

    with written_whole(file) as aside, aside.open("wb") as opened:
        np.save(opened, array)


def _write_text(file: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    with written_whole(file) as aside:
        # A name that is no text is written as the bytes that it is.
        aside.write_text(text, encoding="utf-8", errors="surrogateescape")


def _write_table(file: Path, names: list[str], embeddings: Any) -> None:
    import pyarrow
    from pyarrow import parquet

    vectors = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(embeddings.reshape(-1)), embeddings.shape[1]
    )
    texts = [os.fsencode(name).decode(errors="replace") for name in names]
    with written_whole(file) as aside:
        parquet.write_table(pyarrow.table({"file": texts, "embedding": vectors}), aside)
