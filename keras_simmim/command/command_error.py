"""An end of the command that it expects, told on one line."""


class CommandError(Exception):
    """Say what is wrong, and what to do about it.

    Args:
        message: one line.
    """
