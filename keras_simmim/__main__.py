"""The command `keras-simmim`, as `python -m keras_simmim`."""

import sys

from keras_simmim.command import main

if __name__ == "__main__":
    sys.exit(main())
