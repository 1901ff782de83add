"""Figures as inline SVG: pure functions from numbers to markup, one kind a file."""
