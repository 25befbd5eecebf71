"""What the package computes with on the TensorFlow backend."""
