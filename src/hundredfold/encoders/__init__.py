"""Encoders: what turns images into features."""
