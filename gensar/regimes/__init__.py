"""The two forms in which GenSAR is trained."""
