"""Country and capital: "Everyone knows that the capital of France is" -> " Paris"; as a statement, by examples, and by an instruction.

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
    "Afghanistan": "Kabul", "Austria": "Vienna", "Belgium": "Brussels", "Bulgaria": "Sofia",
    "Canada": "Ottawa", "Chile": "Santiago", "China": "Beijing", "Colombia": "Bogota", "Croatia": "Zagreb",
    "Cuba": "Havana", "Denmark": "Copenhagen", "Ecuador": "Quito", "Egypt": "Cairo", "England": "London",
    "Estonia": "Tallinn", "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin", "Ghana": "Accra",
    "Greece": "Athens", "Hungary": "Budapest", "Indonesia": "Jakarta", "Iran": "Tehran",
    "Ireland": "Dublin", "Italy": "Rome", "Japan": "Tokyo", "Kenya": "Nairobi", "Lebanon": "Beirut",
    "Morocco": "Rabat", "Nepal": "Kathmandu", "Norway": "Oslo", "Pakistan": "Islamabad", "Peru": "Lima",
    "Philippines": "Manila", "Poland": "Warsaw", "Portugal": "Lisbon", "Romania": "Bucharest",
    "Russia": "Moscow", "Scotland": "Edinburgh", "Serbia": "Belgrade", "Spain": "Madrid",
    "Sweden": "Stockholm", "Switzerland": "Bern", "Syria": "Damascus", "Thailand": "Bangkok",
    "Turkey": "Ankara", "Vietnam": "Hanoi", "Wales": "Cardiff",
}  # fmt: skip

_CHAT = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{start}"
# Prompts never ask about the countries in the examples.
FRAMES: dict[str, tuple[str, ...]] = {
    "statement": (
        "The government of {country} sits in the capital,",
        "The parliament of {country} meets in the capital,",
        "The embassy is in the capital of {country},",
        "Everyone knows that the capital of {country} is",
    ),
    "few_shot": (
        "Country: Netherlands, capital: Amsterdam\nCountry: Ukraine, capital: Kiev\nCountry: {country}, capital:",
        "Q: Australia? A: Canberra\nQ: Ukraine? A: Kiev\nQ: Netherlands? A: Amsterdam\nQ: {country}? A:",
        "Question: What is the capital of Australia?\nAnswer: Canberra\nQuestion: What is the capital of Ukraine?\nAnswer: "
        "Kiev\nQuestion: What is the capital of {country}?\nAnswer:",
    ),
    "instruction": (
        _CHAT.format(question="What is the capital of {country}?", start="The capital of {country} is"),
        _CHAT.format(question="What is the capital of {country}?", start="The capital is the city of"),
        _CHAT.format(question="Which city is the capital of {country}?", start="The capital of {country} is"),
        _CHAT.format(
            question="Name the capital of {country}.", start="The capital of {country} is the city of"
        ),
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
