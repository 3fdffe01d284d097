"""JSR (Zamani and Croft 2020): recommendation and items' language models share item vectors."""
