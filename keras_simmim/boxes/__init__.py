"""Mathematics of boxes for detectors: (left, top, right, bottom) in pixels, float32, batched.

In the order of their use: `points` and `anchors` say where a detector looks; `match_by_overlap`
(SSD, Faster R-CNN) or `match_by_task` (YOLO) says which of them answers for which true box;
`hard_negatives` or `sample` chooses who counts in the loss; `encode_offsets` makes the targets
and `ciou` the loss of boxes; `decode_offsets`, `clip` and `non_maximum_suppression` turn outputs
into boxes; `roi_align` cuts features out of them. `iou`, `coverage` and `areas` serve them all.

Labels are int32: −1 pads and counts nothing, −2 marks a box that is ignored (a crowd, a difficult
object): what lies in it is neither right nor wrong. Keras' own functions of boxes are not used
because torch cannot compile them; the tests compare with them.
"""
