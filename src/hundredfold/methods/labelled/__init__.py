"""Methods that learn from labels, on the same loop as those that do not."""
