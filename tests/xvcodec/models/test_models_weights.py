"""Weights files: what is not exactly what its name says is refused with one sentence, and nothing in it is run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from xvc_bitstream import TableSet, log_scales

from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.errors import ModelError
from xvcodec.models.crossmodal import EDITION, Crossmodal, CrossmodalConfig
from xvcodec.models.weights import MAX_BYTES, load_file, load_for, load_model, save_model

TINY = CrossmodalConfig("tiny", width=12, key_blocks=(1, 1), leading=6, context=5, text=8)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tables, contexts = TableSet.laplace(log_scales(), 40), CrossmodalContexts.default()
    return save_model(Crossmodal(TINY), tables, contexts, tmp_path_factory.mktemp("w"))


def named(folder: Path, data: bytes) -> Path:
    """Write `data` under a name with its right hash."""
    path = folder / f"some-{hashlib.sha256(data).hexdigest()[:8]}.safetensors"
    path.write_bytes(data)
    return path


def test_round_trip(tiny: Path) -> None:
    model = load_file(tiny)
    assert model.name == "tiny" and model.module.config == TINY and not model.module.training
    assert model.hash == hashlib.sha256(tiny.read_bytes()).digest() and tiny.stem == f"tiny-{model.hash.hex()[:8]}"
    stored = [value for name, value in model.module.state_dict().items() if ".transform." not in name]
    assert len(model.tables) == 64 and model.parameters == sum(value.numel() for value in stored)
    assert all(not p.requires_grad and p.dtype == torch.float32 for p in model.module.parameters())
    assert not list(tiny.parent.glob("*.partial"))


def test_weights_of_another_edition_are_refused(tmp_path: Path) -> None:
    other = save_model(Crossmodal(replace(TINY, edition=EDITION - 1)), TableSet.laplace(log_scales(), 40),
                       CrossmodalContexts.default(), tmp_path)
    with pytest.raises(ModelError, match=f"edition {EDITION - 1} .*this version for {EDITION}"):
        load_file(other)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no weights file.*xvc models"):
        load_file(tmp_path / "gone-00000000.safetensors")


def test_a_wrong_hash_in_the_name_is_refused(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny-00000000.safetensors"
    path.write_bytes(tiny.read_bytes())
    with pytest.raises(ModelError, match="damaged or renamed"):
        load_file(path)


@pytest.mark.parametrize("place", [0, 9, 4000, -1])
def test_a_flipped_bit_is_noticed(tiny: Path, tmp_path: Path, place: int) -> None:
    data = bytearray(tiny.read_bytes())
    data[place] ^= 4
    path = tmp_path / tiny.name
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged or renamed"):
        load_file(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_under_a_right_hash_is_one_clear_error(tiny: Path, tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(tiny.read_bytes())
    header = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    path = named(tmp_path, bytes(raw[: data.draw(st.sampled_from([len(raw), header, 100, 8, 3]))]))
    try:
        load_file(path)
    except ModelError as error:
        assert str(error)
    finally:
        path.unlink()


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    strange = {"family": "crossmodal", "config": json.dumps({"name": "x", "size": 1})}
    for metadata in (None, {"family": "other"}, strange):
        with pytest.raises(ModelError, match="does not hold a model"):
            load_file(named(tmp_path, save({"a": torch.zeros(3)}, metadata=metadata)))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big-00000000.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse
    with pytest.raises(ModelError, match="larger than 64 MiB"):
        load_file(path)


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.folder,)

    def __init__(self, folder: str) -> None:
        self.folder = folder


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    trap = _Trap(str(tmp_path / "sprung"))
    torch.save({"weights": trap}, tmp_path / "model.pt")
    for data in (pickle.dumps(trap), (tmp_path / "model.pt").read_bytes()):
        with pytest.raises(ModelError):
            load_file(named(tmp_path, data))
    assert not (tmp_path / "sprung").exists()


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ModelError, match="crossmodal"):
        load_model("imaginary")


def test_a_name_from_a_file_never_becomes_a_path(tiny: Path) -> None:
    with pytest.raises(ModelError, match="--model FILE"):
        load_for(str(tiny), bytes(32))
    model = load_file(tiny)
    assert load_for("tiny", model.hash, str(tiny)).hash == model.hash
    with pytest.raises(ModelError, match="other weights"):
        load_for("tiny", bytes(32), str(tiny))


def test_tables_of_shipped_models_fall_from_zero() -> None:
    for name in ("crossmodal", "crossmodal-fast"):
        tables = load_model(name).tables
        zero = -tables.lowest
        laplace = tables.frequencies[:64]
        assert (laplace.argmax(axis=1)[:48] == zero).all()
        assert np.all(np.diff(laplace[:, zero].astype(int)) <= 0)  # wider and wider
