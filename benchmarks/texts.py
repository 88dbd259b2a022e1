"""Texts like those of real agents: full of hashes, UUIDs, clocks and characters beyond ASCII."""

from hashlib import blake2b
from itertools import count

NAMES = ("Zoë Müller", "José Núñez", "Søren Ågård", "山田太郎", "Мария Ким", "Ann O'Brien")
MARKS = ("✓", "→", "…", "€", "😀")


def make_text(number: int, characters: int) -> str:
    """Return a text with ids of its own. It is the same in each run, and can stand in a JSON string as it is."""
    text = ""
    for part in count():
        if len(text) >= characters:
            break
        text += _make_sentence(blake2b(f"{number}.{part}".encode()).hexdigest())
    return text[:characters]


def _make_sentence(digest: str) -> str:
    commit, request, choice = digest[:40], digest[40:72], int(digest[72:80], 16)
    uuid = f"{request[:8]}-{request[8:12]}-{request[12:16]}-{request[16:20]}-{request[20:]}"
    clock = f"2026-01-15T{choice % 24:02}:{choice % 60:02}:{choice % 59:02}Z"
    return (
        f"commit {commit} by {NAMES[choice % len(NAMES)]} {MARKS[choice % len(MARKS)]} {clock}, "
        f"parent {digest[80:88]}, request {uuid}, took {choice % 977} ms; "
    )
