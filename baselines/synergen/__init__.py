"""SynerGen-style model: one causal transformer retrieves and ranks, for search and rec.

After Gao et al. 2025 (arXiv 2509.21777), whose code is not public; see ``docs/models/synergen.md``
for what is theirs and what was decided here.
"""
