"""Where each loss ends when nothing is in its way: two views of 6 images as free points on a sphere, and descent."""

from functools import partial
from itertools import combinations

import torch
from torch.nn.functional import softplus

from hundredfold.evaluate.similarity import similarity
from hundredfold.losses import independently_additive, nt_xent, siglip, spectral, variance_reduction


def show(name, loss, batches=((0, 1, 2, 3, 4, 5),)):
    start = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    views = torch.nn.Parameter(start)  # [2 views, images, dimensions]; losses take rows of any length
    descent = torch.optim.LBFGS([views], max_iter=300, tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def value():
        descent.zero_grad()
        now = torch.stack([loss(*views[:, list(batch)]) for batch in batches]).mean()
        now.backward()
        return now

    descent.step(value)
    f = similarity(*views.detach(), views[0].detach())  # the figures of the report on held-out images
    figures = (f.positive_mean, f.sharp_bound, f.negative_mean, f.excess, f.negative_variance)
    print(f"{name:<26}", *(f"{round(figure, 3) + 0:9.3f}" for figure in figures))


print(f"{'':<26}", *(f"{title:>9}" for title in ("positive", "bound", "negative", "excess", "variance")))
pair = {"phi": lambda s: -softplus(-5 * s), "psi": lambda s: 5 * softplus(5 * s)}  # SigLIP's at temperature 5, bias 0
show("SimCLR", nt_xent)
show("SigLIP", partial(siglip, temperature=5.0, bias=0.0))
show("and negatives within views", partial(independently_additive, cross=True, within=True, **pair))
show("spectral", spectral)
for m in (2, 3):
    fixed = [range(k, k + m) for k in range(0, 6, m)]
    show(f"SimCLR, fixed batches of {m}", nt_xent, fixed)
    show("with VRNS", lambda u, v: nt_xent(u, v) + variance_reduction(u, v, images=6), fixed)
    show(f"SimCLR, any batch of {m}", nt_xent, list(combinations(range(6), m)))
