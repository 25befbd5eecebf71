"""Stage C and its self-supervised sibling: what is read off the encoded views."""

from keras_simmim.heads.box_head import BoxHead
from keras_simmim.heads.classification_head import ClassificationHead
from keras_simmim.heads.decoder import Decoder
from keras_simmim.heads.fcn_decoder import FCNDecoder
from keras_simmim.heads.head import Head
from keras_simmim.heads.projector import Projector
from keras_simmim.heads.proposals import Proposals
from keras_simmim.heads.reconstruction_head import ReconstructionHead
from keras_simmim.heads.rpn_head import RPNHead
from keras_simmim.heads.ssd_head import SSDHead
from keras_simmim.heads.token_head import TokenHead
from keras_simmim.heads.transformer_head import TransformerHead
from keras_simmim.heads.unet_decoder import UNetDecoder
from keras_simmim.heads.yolo_head import YOLOHead

__all__ = [
    "BoxHead",
    "ClassificationHead",
    "Decoder",
    "FCNDecoder",
    "Head",
    "Projector",
    "Proposals",
    "RPNHead",
    "ReconstructionHead",
    "SSDHead",
    "TokenHead",
    "TransformerHead",
    "UNetDecoder",
    "YOLOHead",
]
