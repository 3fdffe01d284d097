"""A control: one GRU over all events of a user, and one softmax for both tasks."""
