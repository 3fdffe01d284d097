"""Reports made from stored runs."""
