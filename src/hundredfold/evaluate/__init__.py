"""Evaluation: features, models learnt from few labels, scores, similarity and health."""
