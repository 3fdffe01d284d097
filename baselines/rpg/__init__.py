"""RPG (Hou et al. 2025): the digits of an item's identifier are predicted all at once."""
