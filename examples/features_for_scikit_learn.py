"""Learnt features as the input of anything else: here a search for similar images with scikit-learn."""

from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import hundredfold

hundredfold.pretrain("digits", out="search-encoder", epochs=10)  # no label is looked at
found = hundredfold.embed("search-encoder", "digits")  # to="features.parquet" writes them to a file
print(f"{len(found.names)} images, {found.features.shape[1]} features each")

digits = load_digits().target
search = NearestNeighbors(n_neighbors=6, metric="cosine").fit(found.features.numpy())
_, nearest = search.kneighbors(found.features[:5].numpy())  # [5, 6], the image itself first
for query, *others in nearest:
    print(
        f"{found.names[query]} shows a {digits[query]}; most similar to it: {', '.join(str(digits[o]) for o in others)}"
    )
