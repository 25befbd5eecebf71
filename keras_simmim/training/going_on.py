"""Where a `fit` begins: with a whole epoch, or in the middle of one that was interrupted."""

from keras_simmim.backend.types import Config
from keras_simmim.data.pipeline.origin import has_all_batches, origin
from keras_simmim.training.callbacks.unfinished_epoch import UnfinishedEpoch
from keras_simmim.training.run_state import RunState


def unfinished_epoch(state: RunState | None, arguments: Config) -> UnfinishedEpoch:
    """Make what lets `fit` go on in the middle of an epoch, if the data and the model do.

    Args:
        state: of the run that goes on; None for one that begins.
        arguments: of `fit`, by name; data that begin in the middle of an epoch are made to say how
            long a whole one is.

    Raises:
        ValueError: for data or an `initial_epoch` at another place than the run's.
    """
    epochs, steps = origin(arguments["x"], "epochs"), arguments.get("steps_per_epoch")
    first_batch = 0 if epochs is None else epochs.first_batch
    if first_batch:
        if steps:
            raise ValueError("steps_per_epoch cannot be given with data that has a first_batch.")
        from keras_simmim.data.pipeline.whole_epochs import with_whole_epochs

        arguments["x"] = with_whole_epochs(arguments["x"], epochs)
    elif epochs is not None and not has_all_batches(arguments["x"], "epochs"):
        # What repeat, take and others make of it has other epochs.
        epochs = None
    if state is not None:
        given = {"initial_epoch": arguments.get("initial_epoch", 0), "first_batch": first_batch}
        wanted = {"initial_epoch": state.epoch, "first_batch": state.batch}
        if epochs is not None:
            given["epoch"], wanted["epoch"] = epochs.epoch, state.epoch
        if given != wanted:
            advice = ""
            if epochs is None and state.batch:
                advice = (
                    " Only data of ks.data go on in the middle of an epoch: of arrays, "
                    "ks.data.from_arrays(x, y, batch_size, epoch=run.epoch, "
                    "first_batch=run.batch). To begin the epoch anew with others, say "
                    "ks.training.resume(directory, whole_epochs=True)."
                )
            raise ValueError(
                f"the resumed run goes on with {wanted} of fit and of its data, got {given}."
                f"{advice}"
            )
    return UnfinishedEpoch(state, first_batch, epochs, steps)
