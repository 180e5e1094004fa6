"""Find text encoders: the one that ships, one named by its id in a file's header, or a local folder."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from xvcodec.errors import ModelError
from xvcodec.text.encoder import TextEncoder
from xvcodec.text.static import MAX_BYTES, StaticEncoder

DEFAULT_ID = "minilm-static-1.7ecf9d1d"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,40}\.[0-9a-f]{8}")


@cache
def load_text_encoder(name: str = "default") -> TextEncoder:
    """Return the encoder called `name`; loaded once.

    Args:
        name: "default", the id of an encoder that ships, or a local folder: one with a `text-*.safetensors` of
            ours, or a Hugging Face folder (T5, CLIP, BERT; needs the `transformers` package).

    Raises:
        ModelError: there is no such encoder, or its content is not what its name says.
    """
    if name == "default" or _ID.fullmatch(name):
        return text_encoder_by_id(DEFAULT_ID if name == "default" else name)
    folder = Path(name)
    if not folder.is_dir():
        raise ModelError(f"no text encoder called {name!r}: give 'default', {DEFAULT_ID!r} or an existing folder")
    static = sorted(folder.glob("text-*.safetensors"))
    if static:
        return _from_file(static[0])
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no text encoder: neither text-*.safetensors nor a Hugging Face config.json")
    from xvcodec.text.huggingface import HuggingFaceEncoder  # needs `transformers`, which most people do without

    return HuggingFaceEncoder(folder)


@cache
def text_encoder_by_id(id: str) -> TextEncoder:
    """Return the shipped encoder with this id. Never opens a path, so an id from a stranger's file is safe here."""
    if not _ID.fullmatch(id):
        raise ModelError(f"{id[:80]!r} is not the id of a text encoder: pass --text-encoder or --no-text")
    resource = files("xvcodec") / "weights" / f"text-{id.replace('.', '-')}.safetensors"
    if not resource.is_file():
        raise ModelError(f"text encoder {id} is not part of this version: pass its folder with --text-encoder")
    return _checked(resource.read_bytes(), id)


def _from_file(path: Path) -> StaticEncoder:
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"{path} is larger than {MAX_BYTES >> 20} MiB, so it is not a static text encoder")
    id = ".".join(path.stem.removeprefix("text-").rsplit("-", 1))
    return _checked(path.read_bytes(), id)


def _checked(data: bytes, id: str) -> StaticEncoder:
    """Refuse content whose SHA-256 does not begin with the eight digits at the end of its name."""
    digest = hashlib.sha256(data).hexdigest()
    if not _ID.fullmatch(id) or digest[:8] != id[-8:]:
        raise ModelError(f"text encoder {id} has the wrong hash ({digest[:8]}): install or copy it again")
    return StaticEncoder(data, id)
