"""HSTU (Zhai et al. 2024): attention without a softmax, gated, with learned biases of time."""
