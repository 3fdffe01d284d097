"""What models that read a sequence of items share: training, batches, scores."""
