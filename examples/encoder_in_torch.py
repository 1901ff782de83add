"""A trained encoder is a torch module: images in 0..1 in, features out. It brings its own normalisation."""

import torch

import hundredfold

hundredfold.pretrain("digits", out="encoder-run", epochs=5)
encoder = hundredfold.load_encoder("encoder-run")

images = torch.rand(4, 1, 8, 8)  # [b, c, h, w], 0..1: nothing to subtract or divide
with torch.no_grad():
    print(tuple(images.shape), "->", tuple(encoder(images).shape))

classifier = torch.nn.Sequential(encoder, torch.nn.Linear(encoder.features, 10)).train()
loss = torch.nn.functional.cross_entropy(classifier(images), torch.tensor([0, 1, 2, 3]))
loss.backward()
print(f"{sum(parameter.grad is not None for parameter in classifier.parameters())} tensors have a gradient")
