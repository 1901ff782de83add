import torch

from hundredfold.encoders.heads import projection_head


def test_projection_head_is_the_formula():
    torch.manual_seed(0)
    head = projection_head(3, 4, 2).double()
    first, second = (parameter.tolist() for parameter in head.parameters())
    h = [0.5, -1.0, 2.0]
    inner = [max(0.0, sum(w * x for w, x in zip(row, h, strict=True))) for row in first]
    expected = [sum(w * x for w, x in zip(row, inner, strict=True)) for row in second]
    torch.testing.assert_close(head(torch.tensor([h]).double()), torch.tensor([expected]).double())


def test_projection_head_with_batch_norm_is_centred_and_stays_so():
    torch.manual_seed(0)
    head = projection_head(3, 4, 2, batch_norm=True)
    z = head(torch.randn(64, 3) + 5)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    z.square().sum().backward()
    offset = head[-1].bias
    assert offset.grad is None and not offset.requires_grad
    assert all(p.grad is not None for p in head.parameters() if p.requires_grad)
