"""Training: the plan, the engine it runs on, the one loop, its checkpoints, and what watches it."""
