"""eSASRec (Tikhonovich et al. 2025): SASRec with LiGR layers and sampled negatives."""
