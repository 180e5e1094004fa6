"""Static token embeddings: one int8 row and one scale for each word piece (tools/distil_text.py makes them).

One safetensors file holds everything, V pieces of width D:
    embedding   int8    [V, D]
    scale       float16 [V]     a row's values are embedding * scale
    vocabulary  uint8   [bytes] the pieces, ASCII, separated by newlines
"""

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from xvcodec.errors import ModelError
from xvcodec.text.encoder import TextEncoder
from xvcodec.text.wordpiece import WordPiece

MAX_BYTES = 64 << 20  # of a file; larger ones are refused unread
_DTYPES = {"embedding": np.int8, "scale": np.float16, "vocabulary": np.uint8}


class StaticEncoder(TextEncoder):
    """Looks embeddings up in a table: exact on every machine, since int8 times float16 fits a float32."""

    def __init__(self, data: bytes, id: str) -> None:
        """Read the bytes of a safetensors file; ModelError when it is not laid out as this module says."""
        tensors = _tensors(data, id)
        self.id = id
        self._rows = tensors["embedding"]
        self._scale = tensors["scale"].astype(np.float32)[:, None]
        self.dim = self._rows.shape[1]
        self.tokeniser = WordPiece(tensors["vocabulary"].tobytes().decode("ascii", "replace").split("\n"))
        if len(self.tokeniser.vocabulary) != len(self._rows):
            raise ModelError(f"text encoder {id} has a vocabulary that does not match its embeddings: get it again")

    def encode(self, text: str) -> NDArray[np.float32]:
        """Return [tokens, dim], RMS about 1 over English text; rare words are long vectors, "the" a short one."""
        ids = self.tokeniser.encode(text, self.max_tokens)
        rows: NDArray[np.float32] = self._rows[ids].astype(np.float32) * self._scale[ids]
        return rows


def _tensors(data: bytes, id: str) -> dict[str, NDArray[np.generic]]:
    """Parse and check the three tensors; the shapes must agree and the scales be finite."""
    try:
        tensors: dict[str, NDArray[np.generic]] = load(data)
    except (SafetensorError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"text encoder {id} is not a readable safetensors file ({error}): get it again") from error
    if {name: tensor.dtype for name, tensor in tensors.items()} != _DTYPES:
        raise ModelError(f"text encoder {id} must hold int8 embedding, float16 scale and uint8 vocabulary")
    rows, scale = tensors["embedding"], tensors["scale"]
    if rows.ndim != 2 or rows.size == 0 or scale.shape != rows.shape[:1] or not np.isfinite(scale).all():
        raise ModelError(f"text encoder {id} has a damaged embedding table: get it again")
    return tensors
