"""Contexts fitted to symbols, and the way from a checkpoint and a fitted file to weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from xvcodec.codec.coefficient_contexts import BUCKETS, CLASSES
from xvcodec.codec.coefficients import Contexts, Ints, sizes_of
from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.errors import ModelError, UsageError
from xvcodec.families import family
from xvcodec.families.crossmodal import FAMILY
from xvcodec.models.crossmodal import FAST, LEAST, Crossmodal
from xvcodec.models.weights import arrays_of, load_file
from xvcodec.training.bake import bake
from xvcodec.training.fit_coefficients import Weights, count, fit_coefficients, fit_weights, measure, tables_of
from xvcodec.training.fit_symbols import LARGE, Symbols, rows_of, tensors

TINY = replace(FAST, name="tiny", width=12, key_blocks=(1, 1), leading=6, context=5, refiners=(6, 1, 6, 1, 6, 1),
               features=2)
CONTEXTS = CrossmodalContexts.default()
QUALITIES = {"key": 30.0, "anchor": 40.5, "between": 50.0}


def gop(chunks: int, seed: int) -> Symbols:
    """Symbols that are larger at some places than at others."""
    random = np.random.default_rng(seed)

    def latents(pictures: int, values: int, height: int, width: int) -> Ints:
        scale = np.geomspace(4.0, 0.05, values)[:, None, None] * random.choice([0.1, 1.0], (pictures, 1, height, width))
        return np.rint(random.laplace(size=(pictures, values, height, width)) * scale).astype(np.int32)

    sizes = {"key": (1, 384, 4, 4), "anchor": (chunks, 96, 8, 8), "between": (chunks, 288, 8, 8)}
    qualities = {kind: np.full((size[0], 2, 2), QUALITIES[kind], np.float32) for kind, size in sizes.items()}
    return Symbols({kind: latents(*size) for kind, size in sizes.items()}, qualities)


def test_rows_and_sums_are_those_of_the_codec() -> None:
    """Counting what rows say is counting along the codec's own walk."""
    symbols = gop(2, 1)
    every = np.arange(64, 64 + CLASSES * BUCKETS, dtype=np.uint8).reshape(CLASSES, BUCKETS)
    contexts = replace(CONTEXTS.latents["anchor"], tables=every)
    counts = np.zeros((CLASSES * BUCKETS, LARGE + 1))
    before, walker = None, Contexts(contexts, LEAST)
    for latent in symbols.latents["anchor"]:
        truth = latent.reshape(96, -1).T

        def take(places: np.ndarray, channels: slice, table: np.ndarray, truth: Ints = truth) -> Ints:
            found = truth[np.ix_(places, walker.order[channels])]
            np.add.at(counts, (table.astype(int) - 64, np.minimum(np.abs(found), LARGE)), 1.0)
            return found

        walker.walk(np.full((8, 8), int(QUALITIES["anchor"]), np.int32), before, take)
        before = sizes_of(truth)
    rows = rows_of([symbols], 10**6, np.random.default_rng(0))["anchor"]
    assert np.array_equal(count(rows, contexts), counts.reshape(CLASSES, BUCKETS, -1))


def test_drawn_rows_stand_for_all() -> None:
    rows = rows_of([gop(3, seed) for seed in range(20)], 400, np.random.default_rng(0))
    for kind, places in (("key", 20 * 16), ("anchor", 60 * 64), ("between", 60 * 64)):
        assert rows[kind].weight.sum() == pytest.approx(places, rel=0.3), kind
    assert len(rows["anchor"].step) < 900 and rows["between"].other.any() and not rows["key"].other.any()


def test_whole_weights_are_those_that_were_trained() -> None:
    """Sums in integers are the mean sizes that gradients see, and these come near what is there."""
    torch.manual_seed(0)
    rows = rows_of([gop(2, seed) for seed in range(8)], 10**6, np.random.default_rng(0))["anchor"]
    weights = fit_weights(rows, 8, 1, 120, lambda line: None)
    part = rows[np.flatnonzero(rows.step == 6)]
    near, own, other, size, step, quality, _ = tensors(part)
    whole = weights.whole(CONTEXTS.latents["anchor"].tables)
    around, mine, beside = whole.matrices()
    sums = whole.bias[40] + part.near @ around[5] + part.own @ mine + part.other @ beside
    with torch.no_grad():
        expected = weights(near, own, other, step, quality)
    assert torch.allclose(torch.from_numpy(sums).float() / 4096, expected, rtol=0.05, atol=0.05)
    assert float(expected.mean()) == pytest.approx(float(size.mean()), rel=0.2)


def test_weights_that_ran_away_still_sum_exactly() -> None:
    weights = Weights(8, 3)
    torch.nn.init.constant_(weights.other[2, 7:8], 90.0)
    whole = weights.whole(CONTEXTS.latents["between"].tables)  # which would raise ValueError
    assert whole.other[2, 7] > 1000 and whole.other[2, 8] < 10


def test_tables_follow_the_counts() -> None:
    counts = np.zeros((CLASSES, BUCKETS, LARGE + 1))
    counts[1, 20, :3] = 8e6, 1e6, 1e6
    counts[2, 3, :2] = 1e7, 1e3  # nearly never anything
    tables, index = tables_of(counts)
    chance = tables.frequencies[index[1, 20]] / 65536
    assert chance[125:130] == pytest.approx([0.05, 0.05, 0.8, 0.05, 0.05], abs=0.01)
    assert index[2, 3] == 0 and len(tables) == 64 + CLASSES * BUCKETS and tables.lowest == -127


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file fitted to made-up symbols."""
    torch.manual_seed(0)
    gops = [gop(2, seed) for seed in range(12)]
    known, others = (rows_of(part, 10**6, np.random.default_rng(0)) for part in (gops[:9], gops[9:]))
    latents, tables = fit_coefficients(Crossmodal(TINY), known, 40, lambda line: None)
    by_formula = family("latent").fitted(None).tables
    for kind, contexts in latents.items():
        assert measure(others[kind], contexts, tables) < measure(others[kind], CONTEXTS.latents[kind], by_formula), kind
    path = tmp_path_factory.mktemp("fitted") / "fitted.safetensors"
    save_file(arrays_of(tables) | FAMILY.extra_arrays(CrossmodalContexts(CONTEXTS.fields, latents)), path)
    return path


def test_a_checkpoint_is_baked_with_what_was_fitted(fitted: Path, tmp_path: Path) -> None:
    model = Crossmodal(TINY)
    recipe = {"model": asdict(TINY)}
    torch.save({"average": model.state_dict(), "recipe": recipe, "family": "crossmodal"}, tmp_path / "c.pt")
    loaded = load_file(bake(tmp_path / "c.pt", tmp_path, fitted))
    expected = FAMILY.fitted(fitted)
    assert loaded.tables.digest() == expected.tables.digest() and len(loaded.tables) > 64
    for kind, contexts in expected.extras.latents.items():
        assert np.array_equal(loaded.extras.latents[kind].bias, contexts.bias)
    task = FAMILY.task(SimpleNamespace(), model, torch.device("cpu"), fitted)
    assert set(task.contexts) == set(expected.extras.latents)


def test_a_wrong_file_is_said(tmp_path: Path) -> None:
    save_file(arrays_of(FAMILY.fitted(None).tables), tmp_path / "tables.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors at all, but long enough")
    for name in ("tables", "text", "missing"):
        with pytest.raises(ModelError, match="fit_contexts"):
            FAMILY.fitted(tmp_path / f"{name}.safetensors")
    with pytest.raises(UsageError, match="leave"):
        family("latent").fitted(tmp_path / "tables.safetensors")
