"""Numbers in labels, in masks and in labels of boxes that stand for no class."""

# The label of an image without one, where others have some.
UNLABELED = -1
# Pixels of nothing known, as in Pascal VOC and Cityscapes.
IGNORED_PIXEL = 255
# The label of no box, where an image has fewer than others.
NO_BOX = -1
# The label of a box that is neither learned nor measured: crowds, difficult objects.
IGNORED_BOX = -2
