"""Statistical tests on any matrix of scores; knows no model and no run record."""
