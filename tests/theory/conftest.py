"""Makes `embeddings.py`, beside this file, importable by the tests here."""

import importlib.util
import sys
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location("embeddings", Path(__file__).with_name("embeddings.py"))
sys.modules["embeddings"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(sys.modules["embeddings"])
