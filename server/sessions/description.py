"""What the API shows of a session; it holds no secrets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from stream.live.intake import PictureIntake
from stream.live.link import Link
from stream.live.output import OutputState, OutputStatus
from stream.timeline import seconds

SessionState = Literal["starting", "waiting", "live", "draining", "ended", "failed"]


UNTOLD = "the cause is told to those who hold the daemon's token"


class LinkDescription(BaseModel):
    """How the network treats a connection, where its protocol tells."""

    rtt_ms: float | None = Field(description="Round-trip time; null while it is not known.")
    lost: int = Field(description="Packets that did not arrive when they were first sent.")
    resent: int = Field(description="Packets that were sent again.")
    dropped: int = Field(description="Packets that came too late, or never.")

    @classmethod
    def of(cls, link: Link | None) -> LinkDescription | None:
        """From what the protocol tells."""
        if link is None:
            return None
        rtt = None if link.rtt is None else round(1000 * link.rtt, 2)
        return cls(rtt_ms=rtt, lost=link.lost, resent=link.resent, dropped=link.dropped)


class OutputDescription(BaseModel):
    """Where a session goes beside its viewers."""

    kind: Literal["hls", "push", "recording"]
    target: str = Field(description="A file's name, or scheme and host of a server.")
    state: OutputState = Field(
        description="`retrying` while it reconnects, `failed` if it ended before the session."
    )
    failure: str | None = Field(description="Why it is retrying or has failed, in one sentence.")
    reconnects: int = Field(description="Times that a broken connection was re-established.")
    missed_s: float = Field(description="Seconds of the session's sound that the output lacks.")
    missed_pictures: int = Field(description="Pictures dropped because it was too slow.")
    link: LinkDescription | None = Field(
        default=None, description="How the network does; null where the protocol does not tell."
    )

    @classmethod
    def of(cls, status: OutputStatus) -> OutputDescription:
        """From the output's own status."""
        return cls(
            kind=status.kind,
            target=status.target,
            state=status.state,
            failure=status.failure,
            reconnects=status.reconnects,
            missed_s=round(seconds(status.missed), 3),
            missed_pictures=status.missed_pictures,
            link=LinkDescription.of(status.link),
        )


class PictureDescription(BaseModel):
    """What comes of a session's picture, over the last seconds."""

    codec: str = Field(description="FFmpeg's name, such as `h264`.")
    width: int
    height: int
    frame_rate: float = Field(description="Pictures a second.")
    bitrate: int = Field(description="Bit/s of the coded pictures.")

    @classmethod
    def of(cls, intake: PictureIntake | None) -> PictureDescription | None:
        """From what the source measures."""
        if intake is None:
            return None
        coded = intake.format
        return cls(
            codec=coded.codec,
            width=coded.width,
            height=coded.height,
            frame_rate=round(intake.frame_rate, 2),
            bitrate=intake.bitrate,
        )


class SessionDescription(BaseModel):
    """A session and what it is doing."""

    id: str
    state: SessionState
    error: str | None = Field(description="Why it has failed, in one sentence.")
    source_failure: str | None = Field(
        default=None, description="Why a pulled source could not be connected when last tried."
    )
    restarts: int = Field(default=0, description="Times it was started again after a failure.")
    restart_in_s: float | None = Field(
        default=None, description="Seconds until it starts again; null if it has not failed."
    )
    source: Literal["publish", "pull"]
    rtmp_port: int | None = Field(
        default=None,
        description="Where its publisher connects by RTMP; null if it is pulled or RTMP is off.",
    )
    srt_port: int | None = Field(
        default=None,
        description="Where its publisher connects by SRT; null if it is pulled or SRT is off.",
    )
    language: str
    tracks: list[str]
    connected: bool = Field(description="Whether its source is connected now.")
    connections: int = Field(description="Publishers so far.")
    transport: str | None = Field(
        default=None,
        description="How media arrives now: `rtmp`, `srt`, `whip`, `websocket`, `pull`, or null.",
    )
    link: LinkDescription | None = Field(
        default=None,
        description="How the network from the source does; null where the protocol does not tell.",
    )
    picture: PictureDescription | None = Field(
        default=None, description="The picture as it arrives; null if none does."
    )
    concealed_s: float = Field(
        default=0.0,
        description="Seconds of sound synthesised for lost packets, on all connections so far.",
    )
    position: int = Field(description="Media time that viewers have reached, ticks of 1/48000 s.")
    position_s: float
    delay_s: float = Field(description="How far viewers are behind the source, s.")
    hls: bool
    protected: bool = Field(description="Whether viewers must show a token.")
    viewers: int = Field(description="Those who watch or listen by WebRTC, WebSocket or HLS.")
    on_air: dict[str, Literal["dub", "original"]] = Field(
        default={}, description="By track: whether its dub is heard, or the original instead."
    )
    outputs: list[OutputDescription] = []
    spoken: dict[str, int] = Field(
        default={}, description="Utterances so far by their language, as it was recognised."
    )
    left: dict[str, dict[str, str]] = Field(
        default={}, description="By track: languages whose speech is left as it is, and why."
    )
    dubs: dict[str, dict[str, float | None]] = Field(
        description="By track: utterances by fate, and the share that was dubbed on time."
    )

    def for_strangers(self) -> SessionDescription:
        """Without the causes of failures and the servers that it is pushed to."""
        outputs = [
            output.model_copy(
                update={
                    "failure": output.failure and UNTOLD,
                    "target": output.kind if output.kind == "push" else output.target,
                }
            )
            for output in self.outputs
        ]
        told = {
            "error": self.error and UNTOLD,
            "source_failure": self.source_failure and UNTOLD,
            "outputs": outputs,
        }
        return self.model_copy(update=told)
