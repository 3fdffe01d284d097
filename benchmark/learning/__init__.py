"""Tools of models that learn; what is here may import torch."""
