"""What is said where another process is gone."""

LOST_PROCESS = (
    "another process of this run has ended, or cannot be reached. Start all of them again: with a "
    "Checkpoint, the run goes on where it was saved last."
)
