"""Stage F: backbones in two halves, a stem and an encoder, with the mask between them."""

from keras_simmim.backbones.backbone import Backbone
from keras_simmim.backbones.conv_net import ConvNet
from keras_simmim.backbones.keras_backbone import KerasBackbone, from_keras
from keras_simmim.backbones.sequence_transformer import SequenceTransformer
from keras_simmim.backbones.swin import Swin
from keras_simmim.backbones.vit import ViT

__all__ = [
    "Backbone",
    "ConvNet",
    "KerasBackbone",
    "SequenceTransformer",
    "Swin",
    "ViT",
    "from_keras",
]
