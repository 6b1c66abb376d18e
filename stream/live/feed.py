"""What a live session shows: picture, sound tracks and events, each for any number of readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from stream.disclosure import SYNTHETIC
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk, PictureFormat, PicturePacket

ORIGINAL = "original"
"""Name of the track that carries the source's own sound; dubs go by their language's code."""

_VOICE = ".voice"


def voice_of(dub: str) -> str:
    """Name of the sound that is a dub's voice alone, without the original under it."""
    return f"{dub}{_VOICE}"


def dub_of(sound: str) -> str:
    """Name of the dub that a sound is, or is the voice of."""
    return sound.removesuffix(_VOICE)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became known about an utterance.

    Attributes:
        kind: ``transcript`` (recognised), ``translation``, ``dub`` (it will be heard) or
            ``fate`` (it was heard, or will never be).
        track: language of the track that it is about; ``original`` for transcripts.
        utterance: id of the utterance in its session.
        start, end: media interval of the utterance, ticks; of the dub for ``dub`` and ``fate``
            where there is one.
        text: the transcript or translation; empty for other kinds.
        speaker: label of who speaks, in transcripts, where speakers are told apart.
        language: of a transcript, BCP 47 tag.
        doubts: what speaks against the words, in transcripts.
        fate: for ``fate``: ``on_time``, ``late``, ``dropped``, ``failed``, ``empty`` or ``left``.
    """

    kind: Literal["transcript", "translation", "dub", "fate"]
    track: str
    utterance: int
    start: int
    end: int
    text: str = ""
    fate: str | None = None
    speaker: str | None = None
    doubts: tuple[str, ...] = ()
    language: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The event as the network protocols show it; times stay in ticks."""
        shown: dict[str, Any] = {
            "kind": self.kind,
            "track": self.track,
            "utterance": self.utterance,
            "start": self.start,
            "end": self.end,
        }
        if self.text:
            shown["text"] = self.text
        if self.fate is not None:
            shown["fate"] = self.fate
        if self.speaker is not None:
            shown["speaker"] = self.speaker
        if self.doubts:
            shown["doubts"] = list(self.doubts)
        if self.language:
            shown["language"] = self.language
        return shown


@dataclass(slots=True)
class Feed:
    """The delayed stream of one session; everything in it belongs to one event loop.

    All broadcasts are published at the viewer's time and closed when the session ends.

    Attributes:
        due: event-loop time (``loop.time()``) at which the viewer sees a media time in ticks.
        channels: of every track.
        tracks: by name, ``original`` first, then one per target language: chunks without gaps,
            each published when the viewer is to hear its start, of 20 ms but at the end.
        voices: the dubs once more, by ``voice_of`` their names and without the original under
            them, for who mixes the two; published in step with ``tracks``, and only to who asks.
        picture: coded pictures in decoding order; never published where there is none.
        events: about every utterance, as they become known (ahead of the viewer's time).
        absence: ticks for which no publisher had been there at a media time, 0 if one was.
        viewers: those who watch or listen at the moment, outputs not counted.
        picture_format: the newest, ``None`` until a picture was published.
        language: ISO 639-1 code of the original.
        disclosed: whether outputs are to say that its dubs are synthetic.
        came: event-loop time at which a media time came from the source; ``None`` where that is
            when it is seen.
        keyframe: the newest that was published.
    """

    due: Callable[[int], float]
    channels: int
    tracks: dict[str, Broadcast[AudioChunk]]
    language: str = "en"
    voices: dict[str, Broadcast[AudioChunk]] = field(default_factory=dict)
    picture: Broadcast[PicturePacket] = field(
        default_factory=lambda: Broadcast(lambda picture: picture.size)
    )
    events: Broadcast[Event] = field(default_factory=Broadcast)
    absence: Callable[[int], int] = lambda time: 0
    viewers: int = 0
    picture_format: PictureFormat | None = None
    disclosed: bool = False
    came: Callable[[int], float] | None = None
    keyframe: PicturePacket | None = None

    def arrival(self, time: int) -> float:
        """Event-loop time at which a media time, ticks, came from the source."""
        return (self.came or self.due)(time)

    @property
    def sounds(self) -> dict[str, Broadcast[AudioChunk]]:
        """Everything that can be heard, by name: ``tracks``, then ``voices``."""
        return self.tracks | self.voices

    def comment(self, tracks: Iterable[str]) -> str:
        """What an output of some tracks says of them in its tags; empty for the original alone."""
        dubbed = any(name != ORIGINAL for name in tracks)
        return SYNTHETIC if self.disclosed and dubbed else ""

    def close(self) -> None:
        """End every broadcast."""
        self.picture.close()
        self.events.close()
        for sound in self.sounds.values():
            sound.close()
