"""Learnt features as the input of anything else: here a clustering of scikit-learn, which sees no label."""

from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

import hundredfold

hundredfold.pretrain("digits", out="digits-encoder", epochs=20)
found = hundredfold.embed("digits-encoder", "digits")  # to="features.parquet" writes them to a file

digits = load_digits()
for what, features in (("pixels", digits.data), ("features", found.features.numpy())):
    clusters = KMeans(10, n_init=3, random_state=0).fit_predict(features)
    print(
        f"{what:<9} {features.shape[1]:>4} numbers, agreement with the digits {adjusted_rand_score(digits.target, clusters):.2f}"
    )
