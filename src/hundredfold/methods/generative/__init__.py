"""Generative models: say an image again through a narrow place, or draw a new one."""
