"""NT-Xent as a plain function of two tensors, in a training loop of your own."""

import torch

from hundredfold.losses import nt_xent
from hundredfold.losses.nt_xent import nt_xent_chance, nt_xent_floor

rng = torch.Generator().manual_seed(0)
points = torch.randn(64, 20, generator=rng)  # 64 things
encoder = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16))
optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)

print(f"chance {nt_xent_chance(64):.2f}, floor {nt_xent_floor(64, 0.2):.2f}")
for step in range(60):
    a, b = (points + 0.3 * torch.randn(64, 20, generator=rng) for _ in range(2))  # two noisy views of each
    loss = nt_xent(encoder(a), encoder(b), temperature=0.2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 19:
        print(f"step {step + 1}: {loss.item():.2f}")
