"""The exceptions of the library: each carries one sentence for people, and says what to do where something can be done."""

from __future__ import annotations


class XvcError(Exception):
    """Base of every error that xvcodec raises on purpose; `str()` of it is one sentence, fit to be shown."""


class InputError(XvcError):
    """The input cannot be read: missing, empty, damaged, not a video, or beyond a limit."""


class OutputError(XvcError):
    """The output cannot be written: folder, container, codec, option or disk."""


class DeviceError(XvcError):
    """A requested device or runtime is not there or does not work."""


class ModelError(XvcError):
    """A model or its weights are unknown, damaged, or not the ones that the stream asks for."""


class UsageError(XvcError):
    """Arguments that contradict each other or lie outside their range."""
