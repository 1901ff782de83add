"""What a denoising autoencoder takes off, beside the best Gaussian and median filter.

    python benchmarks/denoise.py RUN --noise 0.5 --to benchmarks/denoise_mnist.json

RUN is of `denoising_autoencoder`; the images are those that it held out. The filter is chosen with the clean images at
hand, among several widths of each kind.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

import hundredfold
from hundredfold.records import to_plain
from hundredfold.studies.run_folder import RunFolder, processor, versions


def main() -> None:
    """Measures, prints, and keeps the figures if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--noise", type=float, default=0.5)
    parser.add_argument("--to", type=Path, help="a .json file")
    asked = parser.parse_args()
    found = hundredfold.denoise(asked.run, noise=asked.noise)
    print(*found.sentences(), sep="\n")
    assert found.filters is not None and found.psnr is not None
    settings = RunFolder(asked.run).read_settings()
    content = {
        "name": "denoise",
        "noise": asked.noise,
        "psnr": found.psnr,
        "gain_over_best_filter": found.psnr - found.filters.best.psnr,
        "filters": to_plain(found.filters),
        "method_settings": settings.method_settings,
        "epochs": settings.plan.epochs,
        "versions": versions(),
        "machine": {"processor": processor(), "threads": torch.get_num_threads()},
    }
    if asked.to:
        asked.to.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
