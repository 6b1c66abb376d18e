"""The configuration: ``config.yaml``, environment and command line, checked before anything runs.

Precedence, lowest first: built-in defaults, the preset, the file, ``LIVEDUB_SECTION_KEY``
variables, ``--set section.key=value``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError, create_model

from server.cluster.options import ClusterConfig
from server.mistakes import kind_of, mistakes
from server.plain_text import fields_of, parse
from server.rtmp.ingest import RtmpOptions
from server.sessions.options import OutputConfig, ServeConfig
from server.srt.options import SrtOptions
from stages.base import EngineError
from stages.languages.options import SEVERAL, Languages
from stages.options import (
    MATCH,
    STRICT,
    AsrConfig,
    MtConfig,
    SoundConfig,
    SpeakersConfig,
    TtsConfig,
)
from stages.registry import find, is_external, names, option_sections, setting_of
from stream.dub.fit import FitOptions
from stream.dub.options import PlayoutOptions
from stream.errors import UserError
from stream.media.options import InputOptions
from stream.speech.lengths import SegmentOptions

AUTO = "auto"
"""An engine that is chosen by the languages and by what is installed."""


class ConfigError(UserError):
    """The configuration cannot be used; the message names the key, the value and the choices."""


if TYPE_CHECKING:
    EngineSections = BaseModel
else:
    EngineSections = create_model(
        "EngineSections",
        __config__=STRICT,
        **{section: (options, options()) for section, options in option_sections().items()},
    )
    """A section for every engine that has options of its own, as the registry names them."""


class Config(EngineSections):
    """Every knob of livedub; each section configures one part."""

    model_config = STRICT
    languages: Languages = Languages()
    input: InputOptions = InputOptions()
    sound: SoundConfig = SoundConfig()
    asr: AsrConfig = AsrConfig()
    speakers: SpeakersConfig = SpeakersConfig()
    mt: MtConfig = MtConfig()
    tts: TtsConfig = TtsConfig()
    segment: SegmentOptions = SegmentOptions()
    fit: FitOptions = FitOptions()
    playout: PlayoutOptions = PlayoutOptions()
    output: OutputConfig = OutputConfig()
    serve: ServeConfig = ServeConfig()
    rtmp: RtmpOptions = RtmpOptions()
    srt: SrtOptions = SrtOptions()
    cluster: ClusterConfig = ClusterConfig()

    @property
    def here(self) -> Config:
        """The same with every model in this process, none on a cluster."""
        return self.model_copy(update={"cluster": ClusterConfig()})

    @property
    def source(self) -> str:
        """Language that is spoken; ``mul`` where that is told for each utterance."""
        return self.languages.one or SEVERAL

    @property
    def target(self) -> str:
        """Language of the dub: the source's own where nothing is translated."""
        translates = self.mt.engine == AUTO or not find("mt", self.mt.engine).monolingual
        return self.languages.target if translates else self.source


DAEMON_SECTIONS = ("serve", "rtmp", "srt", "cluster")
"""Sections that no session can have for itself."""

PRESETS = Path(__file__).parent / "presets"
"""Configurations that come with livedub, by the name of their file; with a pair behind it, as in
``live-en-ru``, a name stands for the languages too."""

_PAIRED = re.compile(r"(?P<name>[a-z]+)-(?P<source>[a-z]{2,3})-(?P<target>[a-z]{2,3})")


def load(
    path: Path | None = None,
    *,
    preset: str | None = None,
    assignments: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
    cluster: bool = False,
) -> Config:
    """Read and check the configuration.

    Args:
        path: a YAML file; ``None`` for the defaults.
        preset: name of one of ``PRESETS``, with or without a pair of languages.
        assignments: ``section.key=value``, the value in YAML.
        environment: where ``LIVEDUB_SECTION_KEY`` variables are looked up.
        cluster: whether models may be on a cluster, as the daemon's may; they are here otherwise.

    Raises:
        ConfigError: in one sentence.
    """
    values = _preset(preset) if preset is not None else {}
    for section, keys in (_read(path) if path is not None else {}).items():
        both = isinstance(keys, dict) and isinstance(values.get(section), dict)
        values[section] = {**values[section], **keys} if both else keys
    where = str(path) if path is not None else "the configuration"
    for variable, place in _variables(environment).items():
        _assign(values, place, environment[variable])
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or name.count(".") != 1:
            raise ConfigError(f"--set takes section.key=value, not '{assignment}'")
        section, key = name.split(".")
        _assign(values, (section, key), value)
    config = _checked(values, where)
    return config if cluster else config.here


def amend(config: Config, changes: Mapping[str, Any]) -> Config:
    """A configuration with some values changed, checked like a file's.

    Args:
        config: to begin with.
        changes: new values by ``section.key``.

    Raises:
        ConfigError: in one sentence.
    """
    values = config.model_dump()
    for name, value in changes.items():
        section, _, key = name.partition(".")
        if section not in values or not key:
            raise ConfigError(f"settings are named section.key, not '{name}'")
        values[section][key] = value
    return _checked(values, "settings")


def for_proofreader(config: Config) -> Config:
    """The configuration of the recogniser that proofreads the dub, ``tts.listener``."""
    return amend(
        config,
        {
            "asr.model": config.tts.listener,
            "asr.beam_size": 1,
            "languages.source": config.target,
        },
    )


def _checked(values: dict[str, Any], where: str) -> Config:
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        said = mistakes(error.errors(include_url=False), Config, values)
        raise ConfigError(f"{where}: {said}") from None
    for kind_ in ("sound", "asr", "mt", "tts", "speakers"):
        engine = getattr(config, kind_).engine
        unnamed = {"sound": (AUTO, "none"), "speakers": (AUTO, "none"), "asr": ()}.get(
            kind_, (AUTO,)
        )
        choices = unnamed + names(kind_)
        if engine not in choices and not is_external(engine):
            raise ConfigError(
                f"{where}: {setting_of(kind_)} is '{engine}', but must be one of "
                f"{', '.join(choices)}, or module:Class"
            )
    if config.target == SEVERAL:
        raise ConfigError(
            f"{where}: mt.engine is none, which speaks in the source's language, but "
            f"languages.source is {config.languages.written}"
        )
    _check_voices(config, where)
    segment = config.segment
    if segment.offset > segment.onset:
        raise ConfigError(
            f"{where}: segment.offset is {segment.offset}, but must not exceed segment.onset "
            f"({segment.onset})"
        )
    return config


def _check_voices(config: Config, where: str) -> None:
    """What gives each speaker a voice must know speakers, and whom it may clone."""
    tts, apart = config.tts, config.speakers.enabled
    if tts.voices and not apart:
        raise ConfigError(
            f"{where}: tts.voices maps speakers to voices, but speakers.engine is "
            f"{config.speakers.engine}; set it to ge2e"
        )
    for label in tts.voices:
        if not re.fullmatch(r"S[1-9][0-9]*", label):
            raise ConfigError(f"{where}: tts.voices has '{label}', but speakers are S1, S2, ...")
    if tts.voice == "auto" and not apart:
        raise ConfigError(
            f"{where}: tts.voice is auto, which clones each speaker, but speakers.engine is "
            f"{config.speakers.engine}; set it to ge2e"
        )
    if tts.voice == "auto" and not tts.consent:
        raise ConfigError(
            f"{where}: tts.voice is auto, which clones the voices of those who speak; set "
            "tts.consent to true once they have agreed to it"
        )
    _check_consent(tts, where)
    retakes = tts.engine != AUTO and find("tts", tts.engine).retakes
    if tts.listener is not None and not retakes:
        able = " or ".join(name for name in names("tts") if find("tts", name).retakes)
        raise ConfigError(
            f"{where}: tts.listener is for voices that speak differently when asked again, which "
            f"tts.engine {tts.engine} does not: set it to {able}, or tts.listener to null"
        )


def _check_consent(tts: TtsConfig, where: str) -> None:
    if tts.consent or tts.engine == AUTO or not find("tts", tts.engine).clones:
        return
    from stages.speakers.consent import check_consent  # what it reads voices with is not light

    for voice in {tts.voice, *tts.voices.values()} - {AUTO, MATCH}:
        try:
            check_consent(voice)
        except EngineError as error:
            raise ConfigError(f"{where}: {error}") from None


OTHER_VARIABLES = {"ACCEPT_LICENCE", "CACHE", "OFFLINE", "VOICES"}
"""What the environment says with ``LIVEDUB_`` before it that is no setting."""


def _variables(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Section and key of every variable that is a setting.

    Raises:
        ConfigError: for one that looks like a setting and is none.
    """
    settings = {
        f"LIVEDUB_{section}_{key}".upper(): (section, key)
        for section, kind in Config.model_fields.items()
        for key in _keys(kind.annotation)
    }
    known = {*settings, *(f"LIVEDUB_{name}" for name in OTHER_VARIABLES)}
    begun = tuple(f"LIVEDUB_{section}_".upper() for section in Config.model_fields)
    for variable in environment:
        if variable in known or not variable.startswith("LIVEDUB_"):
            continue
        close = difflib.get_close_matches(variable, known, 1, 0.8)
        if close or variable.startswith(begun):
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"the environment has {variable}, which is no setting{hint}")
    return {name: place for name, place in settings.items() if name in environment}


def _preset(name: str) -> dict[str, Any]:
    known = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    paired = _PAIRED.fullmatch(name)
    plain = paired["name"] if paired else name
    if plain not in known:
        raise ConfigError(
            f"there is no preset '{name}', only {' and '.join(known)}, or with a pair of "
            f"languages {known[0]}-en-ru"
        )
    values = _read(PRESETS / f"{plain}.yaml")
    if paired:
        values["languages"] = {"source": paired["source"], "target": paired["target"]}
    return values


def _read(path: Path) -> dict[str, Any]:
    try:
        values = parse(path.read_text(encoding="utf-8"), Config)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is malformed"
        raise ConfigError(f"{path} is not valid YAML{line}: {problem}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold sections such as asr: and tts:, not a {kind_of(values)}"
        )
    return values


def _assign(values: dict[str, Any], key: tuple[str, str], text: str) -> None:
    section = values.setdefault(key[0], {})
    if not isinstance(section, dict):
        raise ConfigError(f"{key[0]} must be a section with keys, not a {kind_of(section)}")
    sections = Config.model_fields
    kind = sections[key[0]].annotation if key[0] in sections else Any
    try:
        # Nothing is empty text and not null: a token whose variable is not set must not be none.
        known = fields_of(kind).get(key[1], Any)
        section[key[1]] = parse(text, known) if text.strip() else ""
    except yaml.YAMLError:
        section[key[1]] = text


def _keys(kind: Any) -> list[str]:
    fields = getattr(kind, "model_fields", None) or kind.__dataclass_fields__
    return list(fields)
