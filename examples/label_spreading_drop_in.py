"""In place of scikit-learn's LabelSpreading: the same call and -1 for unlabelled, but the images are learnt first."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.semi_supervised import LabelSpreading

from hundredfold import FewLabelClassifier, SelfSupervisedTransformer

X, digits = load_digits(return_X_y=True)  # [1797, 64]: images of 8x8, flat
known, unknown = train_test_split(np.arange(len(X)), train_size=50, stratify=digits, random_state=0)
y = np.full(len(X), -1)
y[known] = digits[known]  # 50 labels

pixels = LabelSpreading(kernel="knn").fit(X, y)
model = FewLabelClassifier(SelfSupervisedTransformer(epochs=40), random_state=0).fit(X, y)

for name, found in (("LabelSpreading on pixels", pixels), (f"FewLabelClassifier, {model.model_}", model)):
    right = found.transduction_[unknown] == digits[unknown]
    print(f"{name}: {100 * right.mean():.1f} % of the other {len(unknown):,} images")

new = X[unknown[:5]]
print("predicted:", *model.predict(new), "with probabilities", model.predict_proba(new).max(1).round(2))
