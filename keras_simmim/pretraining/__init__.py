"""One call from images to a pretrained network: `ks.pretrain`, and what it chooses.

images   arrays, folders, data sets of TFDS or of tf.data, opened as one kind of thing
choices  patches, width, depth, objectives, rate and length, by the number of images
run      the folder of a run: what is written there, and how it goes on

For texts and histories, `cooccurrence_table` gives tokens their first vectors.
"""

from keras_simmim.pretraining.choices import CROP_SCALE, Choice, choose, new_model
from keras_simmim.pretraining.cooccurrence_table import cooccurrence_table
from keras_simmim.pretraining.pretrain import pretrain
from keras_simmim.pretraining.run import Run

__all__ = ["CROP_SCALE", "Choice", "Run", "choose", "cooccurrence_table", "new_model", "pretrain"]
