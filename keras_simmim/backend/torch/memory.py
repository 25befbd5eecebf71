"""What torch does with the memory that a training step frees."""


def keep_freed_memory() -> None:
    """Do nothing: the C library keeps it for torch."""
