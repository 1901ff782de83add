"""Contrastive methods: two views of an image agree, views of different images do not."""
