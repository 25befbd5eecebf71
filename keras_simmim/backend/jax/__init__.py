"""What the package computes with on the JAX backend."""
