"""Moving what a source task knows to a target task through a generator, without the source's data."""
