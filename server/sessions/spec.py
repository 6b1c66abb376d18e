"""What a live session is asked to be, as the API and ``config.yaml`` say it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import annotated_types as at
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from server.addresses.opening import PUSH_SCHEMES
from server.addresses.reach import AddressError
from server.addresses.srt_address import SrtAddress
from server.config import DAEMON_SECTIONS, Config, ConfigError, amend
from server.engines.settled import settled
from server.mistakes import mistakes
from stages.base import EngineError
from stages.languages.options import Language
from stages.options import STRICT
from stages.registry import is_external, setting_of
from stream.errors import UserError

PUBLISH = "publish"
"""The source of a session that waits for a publisher: RTMP, WHIP or WebSocket."""


def _spelt(pattern: str, sentence: str) -> AfterValidator:
    """Refuses a string that does not match, with a sentence that says what it must be."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _shown(pattern: str) -> Any:
    """The same in the API's schema."""
    return Field(json_schema_extra={"pattern": f"^{pattern}$"})


_CODE = "%[YmdHMS]"
_RECORD = rf"([\w-]|{_CODE})([\w.-]|{_CODE}){{0,100}}\.(mp4|mkv|ts)"
_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_SECRET = r"[\w-]{8,128}"

RecordName = Annotated[
    str,
    _spelt(
        _RECORD,
        "a recording is a name of letters, digits, _-. or %Y%m%d%H%M%S, ending in .mp4, .mkv or "
        ".ts",
    ),
    _shown(_RECORD),
]
SessionName = Annotated[
    str,
    _spelt(_NAME, "a session's name is of at most 63 lower-case letters, digits, and later _-"),
    _shown(_NAME),
]
Secret = Annotated[
    str, _spelt(_SECRET, "a key or token has 8 to 128 letters, digits and _-"), _shown(_SECRET)
]


class SpecError(UserError):
    """A session cannot be created as asked; the message says why."""


def reads_file(source: str) -> bool:
    """Whether a source is a file, which is read once, at its own pace."""
    return source != PUBLISH and ("://" not in source or source.startswith("file:"))


class OutputSpec(BaseModel):
    """Where else a session goes: pushed to a server, or recorded.

    Exactly one of ``url`` (``rtmp://``, ``rtmps://``, ``udp://`` or ``srt://``), ``whip``
    (``https://`` or ``http://``) and ``record`` (a file name in the recordings folder, ending in
    .mp4, .mkv or .ts) is given.
    """

    model_config = STRICT
    url: str | None = Field(
        None, description="Server to push to: `rtmp://`, `rtmps://`, `udp://`, `srt://`."
    )
    whip: str | None = Field(None, description="Server to publish to by WHIP: `https://`.")
    token: str | None = Field(None, description="What that server is shown, as a bearer token.")
    record: RecordName | None = Field(None, description="File in the recordings folder.")
    track: str | None = Field(None, description="What is put out; the first dub by default.")
    tracks: Annotated[list[str], at.Len(1, 9)] | Literal["all"] | None = Field(
        None,
        description="Several in its place: their names, or `all`, the dubs and then the original. "
        "A recording has all by default, WHIP one.",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The tracks that are asked for by name."""
        if self.track is not None:
            return (self.track,)
        return () if self.tracks is None or self.tracks == "all" else tuple(self.tracks)

    def check_target(self) -> None:
        """Refuse what nothing can be put out to.

        Raises:
            SpecError: saying what it should be.
        """
        if [self.url, self.whip, self.record].count(None) != 2:
            raise SpecError("an output has either a url, a whip or a record, and only one of them")
        if self.url is not None:
            check_push(self.url)
        if self.whip is not None:
            check_whip(self.whip)
        if self.token is not None and (self.whip is None or not re.fullmatch("[!-~]+", self.token)):
            raise SpecError("an output's token is for whip, and has no spaces")

    def check_tracks(self, known: Sequence[str]) -> None:
        """Refuse what the session does not have, or the protocol does not carry.

        Raises:
            SpecError: saying what there is.
        """
        if self.track is not None and self.tracks is not None:
            raise SpecError("an output has either a track or tracks, and not both")
        for name in self.names:
            if name not in known:
                raise SpecError(f"there is no track '{name}' to put out, only {', '.join(known)}")
        if len(set(self.names)) < len(self.names):
            raise SpecError("an output's tracks name one twice")
        if self.whip is not None and (self.tracks == "all" or len(self.names) > 1):
            raise SpecError("WHIP carries one track: name one, or push by srt or udp")


class SessionSpec(BaseModel):
    """One live session."""

    model_config = {**STRICT, "coerce_numbers_to_str": True}  # a key may be all digits
    id: SessionName = Field(
        default_factory=lambda: secrets.token_hex(4),
        description="Its name in all addresses; made up if not given.",
    )
    source: Annotated[str, Field(min_length=1, max_length=2000)] = Field(
        PUBLISH,
        description="`publish`: it waits for a publisher by RTMP, WHIP or WebSocket; or the URL "
        "that is pulled.",
    )
    targets: Annotated[list[Language], at.Len(0, 8)] = Field(
        [], description="Languages of the dubs, by code or name; that of the configuration if none."
    )
    delay: Annotated[float, at.Ge(1), at.Le(60)] | Literal["auto"] | None = Field(
        None,
        description="Seconds that viewers are behind the source; `auto`: as few as the dubs allow; "
        "that of the configuration if not given.",
    )
    key: Secret = Field(
        default_factory=lambda: secrets.token_urlsafe(18),
        description="What publishers must show; made up if not given.",
    )
    play_token: Secret | None = Field(None, description="What viewers must show, if anything.")
    hls: bool = Field(True, description="Whether it can be watched by HLS.")
    tls_verify: bool = Field(
        True, description="Whether certificates of servers are checked, pulled from or pushed to."
    )
    outputs: Annotated[list[OutputSpec], at.Len(0, 8)] = Field(
        [], description="Where else it goes: pushed to servers, recorded."
    )
    settings: Annotated[dict[str, Any], at.Len(0, 50)] = Field(
        {},
        description="Settings of its own, such as `tts.voice`, by the names of config.yaml; which "
        "ones a session may set is up to the operator.",
    )

    def configured(self, config: Config) -> Config:
        """The daemon's configuration with this session's own settings.

        Raises:
            SpecError: for an invalid setting, language, track or push URL.
        """
        changes = dict(self.settings)
        if self.targets:
            changes["languages.target"] = self.targets[0]
        if isinstance(self.delay, float):
            changes["playout.delay"] = self.delay
        for name in changes:
            if (section := name.partition(".")[0]) in DAEMON_SECTIONS:
                raise SpecError(
                    f"settings of the {section} section belong to the daemon, not to a session"
                )
            names_engine = name.endswith(".engine") or name == setting_of("sound")
            if names_engine and is_external(str(changes[name])):
                raise SpecError(
                    f"{name} cannot be '{changes[name]}': no session may name code, only the "
                    f"{section} section of the daemon"
                )
        try:
            amended = amend(config, changes)
        except ConfigError as error:
            raise SpecError(str(error)) from None
        if len(set(self.targets)) < len(self.targets):
            raise SpecError("targets names a language twice")
        tracks = ("original", *(self.targets or [amended.target]))
        for output in self.outputs:
            output.check_target()
            output.check_tracks(tracks)
        return amended


def check_push(url: str) -> None:
    """Refuse a URL that nothing can be pushed to.

    Raises:
        SpecError: saying what it should be.
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in PUSH_SCHEMES and parts.hostname
        _ = parts.port  # raises where it is no number
    except ValueError:
        named = None
    if not named:
        raise SpecError(
            "an output's url is rtmp://HOST/APPLICATION/NAME, rtmps://, udp://HOST:PORT or "
            "srt://HOST:PORT"
        )
    if parts.scheme == "srt":
        try:
            SrtAddress.parsed(url)
        except AddressError as error:
            raise SpecError(str(error)) from None


def check_whip(url: str) -> None:
    """Refuse a URL that nothing can be published to by WHIP.

    Raises:
        SpecError: saying what it should be.
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname
        _ = parts.port  # raises where it is no number
    except ValueError:
        named = None
    if not named or re.search(r"[\0-\x20\x7f]", url):
        raise SpecError("an output's whip is https://HOST/PATH or http://HOST/PATH")


def configured_sessions(values: Sequence[Mapping[str, Any]]) -> list[SessionSpec]:
    """The sessions of ``serve.sessions``.

    Raises:
        SpecError: naming all mistakes, each with its session.
    """
    try:
        return _SESSIONS.validate_python(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        said = mistakes(details, list[SessionSpec], values, "serve.sessions")
        raise SpecError(said) from None


def check_languages(spec: SessionSpec, config: Config) -> None:
    """See that something here translates and speaks a session's languages; nothing is loaded.

    Raises:
        SpecError: if nothing does, with what would and how to get it.
    """
    own = spec.configured(config)
    for target in spec.targets or [own.target]:
        try:
            settled(amend(own, {"languages.target": target}))
        except EngineError as error:
            raise SpecError(str(error)) from None


_SESSIONS = TypeAdapter(list[SessionSpec])
