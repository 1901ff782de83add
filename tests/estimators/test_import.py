"""Importing the estimators, making one and asking for its settings loads no torch: pipelines are made in a moment."""

import subprocess
import sys

CODE = """
import sys
from sklearn.base import clone
from hundredfold import FewLabelClassifier, SelfSupervisedTransformer
model = clone(FewLabelClassifier(SelfSupervisedTransformer(epochs=3)))
repr(model.set_params(transformer__lr=0.1).get_params())
print({"torch", "pydantic", "PIL"} & set(sys.modules))
"""


def test_an_estimator_is_made_without_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
