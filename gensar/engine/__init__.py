"""Generative retrieval: identifiers, vocabulary, backbone, training and constrained decoding."""
