"""Everyday utterances that the tiny models get wrong, by pair; found by trying them."""

from __future__ import annotations

PHRASES: dict[tuple[str, str], dict[str, str]] = {
    ("en", "pt"): {
        "thank you": "obrigado",
        "thank you very much": "muito obrigado",
        "thank you everyone": "obrigado a todos",
        "thank you all": "obrigado a todos",
        "you're welcome": "de nada",
        "excuse me": "com licença",
        "i'm sorry": "desculpe",
        "bye": "tchau",
        "bye bye": "tchau",
        "what": "o quê",
        "really": "é mesmo",
        "so": "então",
        "well": "bem",
        "oh": "ah",
        "uh": "ah",
        "um": "hum",
        "of course": "claro",
        "i see": "entendi",
        "wait": "espere",
        "great": "ótimo",
        "great job": "ótimo trabalho",
        "good job": "bom trabalho",
        "ladies and gentlemen": "senhoras e senhores",
        "one": "um",
        "next": "próximo",
        "yes yes": "sim, sim",
        "no no": "não, não",
    },
    ("pt", "en"): {
        "obrigado": "thank you",
        "obrigada": "thank you",
        "muito obrigado": "thank you very much",
        "olá": "hello",
        "tchau": "bye",
        "o quê": "what",
        "desculpe": "sorry",
    },
}
