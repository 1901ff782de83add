"""Data: where images come from, how they are split, how they are handed out in batches."""
