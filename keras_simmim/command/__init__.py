"""The command `keras-simmim`: pretrain, embed, evaluate, fine-tune, export, without any code.

    start       what must happen before Keras is imported: the backend, quiet frameworks
    parser      the arguments of all subcommands, and --help
    invocation  one subcommand after the other, exit codes, errors on one line
    pretrain …  the subcommands, one a file: `add` names their arguments, `run` does the work

None of it is imported by anything else, and `keras-simmim --help` imports neither Keras nor a
backend. What the subcommands do is the public API's.
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, those of the process if None; give its exit code."""
    from keras_simmim.command.invocation import run

    return run(arguments)


__all__ = ["main"]
