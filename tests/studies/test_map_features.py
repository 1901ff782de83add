"""Images on a plane: order and names, what the figure means, and few images."""

import csv

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

import hundredfold
from hundredfold.errors import CheckpointError, DataError, SettingsError
from hundredfold.studies.generator import load_generator


def directions(run, images):
    rows = hundredfold.embed(run, images).features.double().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def flat(mosaics_file, tmp_path_factory):
    """A run whose code is a plane."""
    out = tmp_path_factory.mktemp("flat") / "run"
    hundredfold.pretrain(
        str(mosaics_file),
        out=out,
        method="autoencoder",
        method_settings={"latent": 2},
        encoder_settings={"widths": (4,), "features": 8},
        epochs=1,
        batch_size=32,
    )
    return out


def test_principal_components_in_input_order(copied, mosaics):
    run = copied("simclr")
    to = run.parent / "map.csv"
    found = hundredfold.map_features(run, mosaics, how="pca", to=to)
    rows = directions(run, mosaics[0])
    wanted = PCA(2).fit_transform(rows)
    signs = np.sign((wanted * found.points.numpy()).sum(0))
    np.testing.assert_allclose(found.points.numpy(), wanted * signs, atol=1e-4)
    assert found.trustworthiness == pytest.approx(trustworthiness(rows, wanted, n_neighbors=10), abs=1e-3)
    assert found.dimensions == 32 and found.labels == tuple(map(str, mosaics[1]))
    table = list(csv.DictReader(to.read_text().splitlines()))
    assert [row["name"] for row in table] == [f"image {place}" for place in range(240)] == list(found.names)
    assert [row["label"] for row in table] == list(found.labels)
    assert [[float(row["x"]), float(row["y"])] for row in table] == found.points.tolist()


def test_the_report_shows_the_map_of_the_images_held_out(copied):
    found = hundredfold.map_features(copied("simclr"), how="tsne")
    assert len(found.names) == 40 and found.how == "tsne"
    html = found.report.read_text()
    assert "The images on a map" in html and "t-SNE" in html and f"{found.trustworthiness:.3f}" in html


def test_a_seed_gives_the_same_map(copied):
    run = copied("simclr")
    first, same = (hundredfold.map_features(run, how="tsne", seed=3).points for _ in range(2))
    assert torch.equal(first, same)


def test_the_code_of_two_dimensions_is_a_map_of_the_features(flat, mosaics):
    found = hundredfold.map_features(flat, mosaics[0][:50], how="latent")
    images = torch.from_numpy(mosaics[0][:50]).unsqueeze(1) / 255
    with torch.no_grad():
        codes = load_generator(flat).model.encode(images)
    torch.testing.assert_close(found.points, codes)
    wanted = trustworthiness(directions(flat, mosaics[0][:50]), codes.numpy(), n_neighbors=10)
    assert found.trustworthiness == pytest.approx(wanted, abs=1e-3) and found.dimensions == 8
    assert found.labels == ("",) * 50


def test_a_code_that_is_no_plane(pretrained):
    with pytest.raises(CheckpointError, match="is no plane") as refused:
        hundredfold.map_features(pretrained("vae"), how="latent")
    assert "20 dimensions" in refused.value.why and "latent=2" in refused.value.fix
    with pytest.raises(CheckpointError, match="holds no generative model"):
        hundredfold.map_features(pretrained("simclr"), how="latent")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("how", ["pca", "tsne"])
def test_few_images(copied, mosaics, count, how):
    found = hundredfold.map_features(copied("simclr"), mosaics[0][:count], how=how)
    assert found.points.shape == (count, 2) and bool(found.points.isfinite().all())
    assert (found.trustworthiness is None) == (count < 4) and len(found.sentences()) == 1


def test_images_that_are_all_the_same(copied):
    found = hundredfold.map_features(copied("simclr"), np.full((8, 8, 8), 9, dtype=np.uint8))
    assert bool(found.points.isfinite().all())


def test_many_images_are_thinned_evenly_over_all_parts(copied, mosaics, tmp_path):
    images = mosaics[0]
    np.savez(tmp_path / "a.npz", x_train=images[:90], y_train=[0] * 90, x_test=images[90:120], y_test=[1] * 29 + [0])
    found = hundredfold.map_features(copied("simclr"), str(tmp_path / "a.npz"), how="pca", count=40)
    assert found.labels == ("0",) * 30 + ("1",) * 10
    assert found.names[:30] == tuple(f"image {3 * place}" for place in range(30))


def test_what_cannot_be(pretrained, tmp_path):
    with pytest.raises(SettingsError) as refused:
        hundredfold.map_features(tmp_path, how="umpa", count=1)
    assert refused.value.problems == (
        "unknown map 'umpa': did you mean 'umap'? Possible: latent, pca, tsne, umap",
        "count must be in 2..5,000, got 1: more points cannot be told apart",
    )
    with pytest.raises(SettingsError, match="unknown file type '.png'"):
        hundredfold.map_features(tmp_path, to=tmp_path / "a.png")
    with pytest.raises(CheckpointError):
        hundredfold.map_features(tmp_path)
    with pytest.raises(DataError):
        hundredfold.map_features(pretrained("simclr"), str(tmp_path / "nowhere"))
