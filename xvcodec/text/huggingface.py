"""A text encoder from a local Hugging Face folder (T5, CLIP or BERT), for models trained with one."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xvcodec.errors import ModelError
from xvcodec.text.encoder import TextEncoder
from xvcodec.text.wordpiece import MAX_CHARS

_OPTIONS = {"local_files_only": True, "trust_remote_code": False}
_CLASSES = {"t5": "T5EncoderModel", "clip": "CLIPTextModel", "clip_text_model": "CLIPTextModel"}


class HuggingFaceEncoder(TextEncoder):
    """Last hidden states scaled to RMS 1, in the network's own width: the caller refuses a width it cannot use."""

    def __init__(self, folder: Path) -> None:
        """Load from disk only, safetensors only, no code from the folder; ModelError when that cannot be done."""
        try:
            import transformers
        except ImportError as error:
            raise ModelError("this --text-encoder folder needs a package: run `pip install transformers`") from error
        try:
            config = transformers.AutoConfig.from_pretrained(folder, **_OPTIONS)
            kind = getattr(transformers, _CLASSES.get(config.model_type, "AutoModel"))
            self._network = kind.from_pretrained(folder, use_safetensors=True, **_OPTIONS).float().eval()
            self._tokeniser = transformers.AutoTokenizer.from_pretrained(folder, **_OPTIONS)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{folder} holds no text encoder that can be loaded: {str(error)[:200]}") from error
        self.dim = int(self._network.config.hidden_size)
        self.id = f"hf-{config.model_type}:{_content_hash(folder)}".replace("_", "-")

    def encode(self, text: str) -> NDArray[np.float32]:
        """Return [tokens, dim] with RMS 1; special tokens count among max_tokens. Differs slightly by machine."""
        import torch

        if not text.strip():
            return np.zeros((0, self.dim), np.float32)
        tokens = self._tokeniser(text[:MAX_CHARS], truncation=True, max_length=self.max_tokens, return_tensors="pt")
        with torch.inference_mode():
            states = self._network(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])[0][0]
        result: NDArray[np.float32] = (states / states.square().mean().sqrt().clamp_min(1e-6)).numpy()
        return result


def _content_hash(folder: Path) -> str:
    """First eight digits of a SHA-256 over the weights and settings in `folder`."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]
