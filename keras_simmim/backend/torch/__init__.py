"""What the package computes with on the torch backend."""
