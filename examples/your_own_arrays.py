"""Images as arrays: bars that stand, lie or lean, of which only 30 have a label (-1 stands for none)."""

import numpy as np

import hundredfold

rng = np.random.default_rng(0)
kinds = rng.integers(0, 3, 600)
images = rng.integers(0, 60, (600, 16, 16), dtype=np.uint8)  # [n, h, w] or [n, h, w, c], 0..255 or 0..1
for image, kind in zip(images, kinds):
    across, down = rng.integers(4, 12, 2)
    step = np.arange(-4, 4)
    image[down + step * (kind != 1), across + step * (kind != 0)] = 255
labels = np.where(np.arange(600) < 30, kinds, -1)

run = hundredfold.run(
    (images, labels), labels=24, out="bars", epochs=5, draws=1, label_counts=[24], models=["pixels", "linear_probe"]
)
print({model: round(found["24"].mean, 2) for model, found in run.summary.items()})
