"""The embedded set `digits`: 1,797 grey 8x8 handwritten digits that come inside scikit-learn.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository (1998).
"""

from __future__ import annotations

import numpy as np
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, Source


def read_digits() -> Source:
    """The whole set; grey levels 0..16 are stretched to 0..255. It has no test set of its own."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)  # [n, 8, 8]
    train = ImageSet(
        source="digits",
        pixels=MemoryPixels(torch.from_numpy(grey).unsqueeze(1)),
        labels=torch.from_numpy(digits.target.astype(np.int64)),
        classes=tuple(str(name) for name in digits.target_names),
        names=tuple(f"image {position}" for position in range(len(grey))),
    )
    return Source(train=train)
