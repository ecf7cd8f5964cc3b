"""Country and capital: "The capital of France is" -> " Paris"; as a statement, by examples, and by an instruction.

A task of Hanna et al. 2024 (arXiv 2403.17806), who ask for the country of a capital. The corrupted prompt names another
country. The instruction is in the chat format of SmolLM2 and Qwen; other tokenizers read it as plain text.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgeprune_core.tasks.base import Pair

# Countries and capitals of one word. A tokenizer that cuts a name into several tokens does without that country.
CAPITALS = {
    "Austria": "Vienna", "Belgium": "Brussels", "Bulgaria": "Sofia", "Canada": "Ottawa", "Chile": "Santiago",
    "China": "Beijing", "Cuba": "Havana", "Denmark": "Copenhagen", "Egypt": "Cairo", "England": "London",
    "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin", "Greece": "Athens", "Hungary": "Budapest",
    "Iran": "Tehran", "Iraq": "Baghdad", "Ireland": "Dublin", "Italy": "Rome", "Jamaica": "Kingston",
    "Japan": "Tokyo", "Kenya": "Nairobi", "Norway": "Oslo", "Peru": "Lima", "Philippines": "Manila",
    "Poland": "Warsaw", "Portugal": "Lisbon", "Russia": "Moscow", "Scotland": "Edinburgh", "Spain": "Madrid",
    "Sweden": "Stockholm", "Syria": "Damascus", "Thailand": "Bangkok", "Turkey": "Ankara",
}  # fmt: skip

_CHAT = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{start}"
# The countries of the examples are not asked for.
FRAMES: dict[str, tuple[str, ...]] = {
    "statement": (
        "The capital of {country} is",
        "The capital city of {country} is",
        "As everybody knows, the capital of {country} is",
        "{country} is a country whose capital is the city of",
    ),
    "few_shot": (
        "Netherlands: Amsterdam\nAustralia: Canberra\nArgentina: Buenos Aires\n{country}:",
        "Country: Netherlands, capital: Amsterdam\nCountry: Ukraine, capital: Kiev\nCountry: {country}, capital:",
        "Q: Australia? A: Canberra\nQ: Ukraine? A: Kiev\nQ: Netherlands? A: Amsterdam\nQ: {country}? A:",
    ),
    "instruction": (
        _CHAT.format(question="What is the capital of {country}?", start="The capital is"),
        _CHAT.format(question="Name the capital of {country}.", start="It is"),
        _CHAT.format(question="Say in one word which city is the capital of {country}.", start="Answer:"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capitals:
    form: Literal["statement", "few_shot", "instruction"] = "statement"

    @property
    def name(self) -> str:
        return "capital" if self.form == "statement" else f"capital_{self.form}"

    def draw(self, rng: random.Random) -> Pair:
        frame = rng.choice(FRAMES[self.form])
        country, other = rng.sample(tuple(CAPITALS), 2)
        return Pair(
            clean=frame.format(country=country),
            corrupted=frame.format(country=other),
            answers=(f" {CAPITALS[country]}",),
            foils=(f" {CAPITALS[other]}",),
            corrupted_answers=(f" {CAPITALS[other]}",),
            template=frame,
            keys=(country, other),
        )

    def texts(self) -> Iterator[str]:
        for frame in FRAMES[self.form]:
            for country, city in CAPITALS.items():
                yield frame.format(country=country) + f" {city}"
