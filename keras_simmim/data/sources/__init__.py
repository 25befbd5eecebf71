"""Where images come from: arrays, folders of files, TFDS."""
