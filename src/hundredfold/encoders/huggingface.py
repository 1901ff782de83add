"""placeholder"""

PREFIX = "hf:"
