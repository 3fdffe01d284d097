"""The metric harness: ranks under ties, metrics in closed form, paired statistics."""
