"""The report: records of a run in, one self-contained HTML page out. No script, no network."""
