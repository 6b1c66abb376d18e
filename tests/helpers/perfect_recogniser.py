"""Words that are spoken at known times, and what a perfect recogniser hears of them."""

from stream.frames import SPEECH_RATE, Transcript, Word, written
from stream.speech.segment import Draft


def said(text: str, start: float = 0.0, each: float = 0.3) -> list[Word]:
    return [
        Word(word, start + each * i, start + each * (i + 1), 1.0)
        for i, word in enumerate(text.split())
    ]


def recognised(speech: list[Word], draft: Draft) -> Transcript:
    """What a perfect recogniser hears in a draft: the words whose middle is in it."""
    first, last = draft.start / SPEECH_RATE, draft.end / SPEECH_RATE
    words = tuple(
        Word(w.text, max(w.start - first, 0), w.end - first, 1.0)
        for w in speech
        if first <= (w.start + w.end) / 2 < last
    )
    return Transcript(written(words), "en", words)
