"""Pretext tasks: predict a transformation that was made, or a part that was taken away."""
