"""How well the length of speech is predicted: ``python benchmarks/duration.py [--speech FOLDER]``.

Each voice speaks sentences at its own rate; in several orders, each length is predicted before the
model learns it. Prints the error of predictions from the first sentence on, and after ten of
them, for the model that livedub uses and for others that were tried.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from demo_clip import SCRIPT
from fit import RememberedSpeech
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from talk import TALK

from stages.base import Synthesiser
from stages.registry import create, missing
from stream.dub.duration import DurationModel
from stream.timeline import TICK_RATE, seconds

ENGLISH = [line.text.replace("| ", "") for line in (*TALK, *SCRIPT)]
RUSSIAN = [
    "Сегодня я хочу рассказать о хлебе и о людях, которые его пекут.",
    "Большинство из нас покупает хлеб в магазине, не задумываясь о нём.",
    "Но хорошему хлебу нужны только четыре вещи: мука, вода, соль и время.",
    "Это и есть весь секрет.",
    "Моя бабушка пекла каждую субботу, и запах стоял на всю улицу.",
    "Она никогда ничего не взвешивала.",
    "Я учусь этому уже двадцать лет.",
    "Сначала разогрейте форму, потом положите тесто и закройте крышку.",
    "Через полчаса снимите крышку.",
    "Вчера вечером городской совет решил закрыть старый мост на восемь месяцев.",
    "Инженеры нашли трещины в двух из пяти опор.",
    "Автобусы пойдут другим путём через северные районы.",
    "Владельцы лавок у реки боятся потерять покупателей.",
    "Мэр обещал, что малые предприятия получат помощь.",
    "Однако никто не смог сказать, сколько это будет стоить.",
    "К другим новостям: музей открыл новое крыло.",
    "Вход свободный до конца месяца.",
    "И наконец о погоде.",
    "На западе будет облачно и местами дождь, в остальных районах сухо и солнечно.",
    "Днём температура поднимется до двадцати четырёх градусов.",
    "Жил-был на маленьком острове старый рыбак.",
    "Каждое утро он выходил в море, и каждый вечер возвращался домой.",
    "Однажды он нашёл в сетях бутылку.",
    "Внутри был листок бумаги с единственным словом.",
    "Подожди.",
    "Он сел на камень и стал ждать.",
    "Солнце зашло за холмы, одна за другой появились звёзды, и ветер уснул.",
    "В полночь он услышал плеск вёсел.",
    "Из лодки вышла молодая женщина и улыбнулась ему.",
    "Они говорили до самого утра.",
]

VOICES = {
    "espeak-pt": ("espeak", "pt"),
    "espeak-ru": ("espeak", "ru"),
    "piper-en": ("piper", "en"),
    "kokoro-pt": ("kokoro", "pt"),
}
ORDERS = 6
VOWELS = frozenset("aeiouyáéíóúâêôãõàüаеёиоуыэюя")


class LeastSquares:
    """Length as a weighted sum of features: recursive least squares from weights guessed before.

    Args:
        features: of a text.
        guess: characters that each feature is worth at first.
        doubt: standard deviation of that guess.
        characters_per_second: of the voice.
        noise: standard deviation of a length, relative.
    """

    def __init__(
        self,
        features: Callable[[str], list[float]],
        guess: list[float],
        doubt: list[float],
        characters_per_second: float,
        noise: float = 0.08,
    ) -> None:
        self._features = features
        self._weights = np.array(guess) / characters_per_second
        self._variance = np.diag((np.array(doubt) / characters_per_second) ** 2)
        self._noise = noise

    def expected(self, text: str) -> int:
        """Ticks that ``text`` takes."""
        return round(max(float(self._weights @ self._features(text)), 0.05) * TICK_RATE)

    def observe(self, text: str, duration: int, rate: float) -> None:
        """Learn that ``text`` took ``duration`` ticks at ``rate``."""
        x, y = np.array(self._features(text)), duration * rate / TICK_RATE
        spread = self._variance @ x
        gain = spread / (x @ spread + (self._noise * max(y, 0.3)) ** 2)
        self._weights = self._weights + gain * (y - x @ self._weights)
        self._variance = self._variance - np.outer(gain, spread)


def classes(text: str) -> list[float]:
    """Vowels, other letters and spaces with digits as four, commas, sentence ends, and 1."""
    plain = text.strip(" .!?…").lower()
    vowels = sum(c in VOWELS for c in plain)
    others = sum((c.isalpha() or c.isspace()) and c not in VOWELS for c in plain)
    digits = sum(c.isdigit() for c in plain)
    commas, ends = (sum(c in marks for c in plain) for marks in (",;:—–", ".!?…"))
    return [vowels, others + 4 * digits, commas, ends, 1]


def letters(text: str) -> list[float]:
    """Letters, pauses and 1."""
    vowels, others, commas, ends, one = classes(text)
    return [vowels + others, 3 * commas + 5 * ends, one]


def units(text: str) -> list[float]:
    """What the model counts."""
    return [DurationModel(1).expected(text) / TICK_RATE]


Model = Callable[[float], DurationModel | LeastSquares]
MODELS: dict[str, Model] = {
    "one number, exponential average (used)": DurationModel,
    "one number, least squares": lambda c: LeastSquares(units, [1], [0.3], c),
    "one number and a constant": lambda c: LeastSquares(
        lambda text: [*units(text), 1], [1, 0], [0.3, 4], c
    ),
    "letters, pauses, constant": lambda c: LeastSquares(letters, [1, 1, 0], [0.3, 0.5, 4], c),
    "vowels, others, commas, ends, constant": lambda c: LeastSquares(
        classes, [1, 1, 3, 5, 0], [0.5, 0.5, 2, 2, 4], c
    ),
}


async def lengths(voice: Synthesiser, texts: Sequence[str]) -> list[int]:
    """Ticks that each text takes at the voice's own rate."""
    found = []
    for text in texts:
        samples = sum([len(piece) async for piece in voice.synthesise(text)])
        found.append(round(samples * TICK_RATE / voice.sample_rate))
    return found


async def portuguese() -> list[str]:
    """The English sentences as they are translated."""
    translator = create("mt", "bergamot", source="en", target="pt")
    return [await translator.translate(text) for text in ENGLISH]


def errors(
    make: Model, speed: float, texts: Sequence[str], ticks: Sequence[int]
) -> NDArray[np.float64]:
    """Relative errors of predictions made before each length is learned, a row for each order."""
    found = []
    for seed in range(ORDERS):
        model = make(speed)
        order = list(range(len(texts)))
        if seed:
            np.random.default_rng(seed).shuffle(order)
        row = []
        for index in order:
            row.append(model.expected(texts[index]) / ticks[index] - 1)
            model.observe(texts[index], ticks[index], 1.0)
        found.append(row)
    return np.array(found)


async def measure(voices: Sequence[str], speech: Path | None) -> Table:
    """Speak and predict with all that is installed."""
    texts = {"en": ENGLISH, "pt": await portuguese(), "ru": RUSSIAN}
    table = Table(title="Error of predicted length, %: mean of the absolute, and 90th percentile")
    for heading in ("voice", "model", "sentences", "speech, s", "all", "after 10", "p90 after 10"):
        table.add_column(heading)
    for name, language in (VOICES[chosen] for chosen in voices):
        if missing("tts", name):
            continue
        engine = create("tts", name, language=language)
        voice = RememberedSpeech(f"{name} {language}", engine, speech)
        ticks = await lengths(voice, texts[language])
        for label, make in MODELS.items():
            speed = voice.characters_per_second
            found = 100 * np.abs(errors(make, speed, texts[language], ticks))
            table.add_row(
                f"{name} {language}",
                label,
                str(len(ticks)),
                f"{seconds(sum(ticks)):.0f}",
                f"{found.mean():.1f}",
                f"{found[:, 10:].mean():.1f}",
                f"{np.percentile(found[:, 10:], 90):.1f}",
            )
        await voice.aclose()
    return table


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, help="folder to keep what was spoken")
    parser.add_argument("--voices", nargs="+", choices=list(VOICES), default=list(VOICES))
    given = parser.parse_args()
    Console(width=140).print(asyncio.run(measure(given.voices, given.speech)))


if __name__ == "__main__":
    main()
