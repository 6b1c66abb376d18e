"""Commits of the hub's repositories that presets and tables name: who has them cannot be surprised.

A hub id without a commit means the one here, where there is one, and else whatever is newest.
"""

from __future__ import annotations

COMMITS = {
    "Helsinki-NLP/opus-mt-en-ru": "bb09c99d180016eac6819df3dae68edb1690fdee",
    "Systran/faster-whisper-base": "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    "Systran/faster-whisper-large-v3": "edaa852ec7e145841d8ffdb056a99866b5f0a478",
    "Systran/faster-whisper-small": "536b0662742c02347bc0e980a01041f333bce120",
    "Systran/faster-whisper-tiny.en": "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
    "coqui/XTTS-v2": "6c2b0d75eae4b7047358e3b6bd9325f857d43f77",
    "facebook/m2m100_418M": "55c2e61bbf05dfb8d7abccdc3fae6fc8512fd636",
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo": "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
}
"""As several other projects have pinned them. Piper's voices and others are not known for sure."""
