"""UnifiedSSR (Xie et al., WWW 2024): one Siamese encoder for product and query histories."""
