"""What backbones and heads are both made of."""
