"""A generative model draws images that nobody took; its encoder says which are unlike those it learnt from."""

import numpy as np
from sklearn.datasets import load_digits

import hundredfold

digits = load_digits()
images = (digits.images * 15).astype("uint8")  # [n, 8, 8]
np.savez("threes.npz", images=images[digits.target == 3])
hundredfold.pretrain("threes.npz", method="vae", out="threes", epochs=60, batch_size=32)

drawn = hundredfold.generate("threes", count=16, to="new.png")
print(f"{len(drawn.images)} new images of {tuple(drawn.images.shape[1:])} in new.png")

found = hundredfold.anomalies("threes", (images[:300], digits.target[:300]), normal_classes=["3"])
print(*found.sentences(), sep="\n")
for position in found.score.argsort(descending=True)[:5].tolist():
    print(
        f"{found.names[position]}: a {digits.target[position]}, {found.score[position]:.1f} deviations above the threes"
    )

seen = hundredfold.reconstruct("threes")
print(*seen.sentences(), sep="\n")
print(f"pictures of all of it: {seen.report}")
