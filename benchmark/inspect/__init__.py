"""A look into a trained model: requests made by hand, identifiers."""
