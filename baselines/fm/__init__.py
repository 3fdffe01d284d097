"""The plain joint factor model: users, items and the words of queries as vectors of one space."""
