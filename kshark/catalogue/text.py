"""Texts compared whatever their case, and however Unicode writes them. Pure."""

from unicodedata import normalize

DOT_ABOVE = "\u0307"


def fold_case(text: str) -> str:
    """Return a form of ``text`` that is the same in any case and spelling of Unicode: ``STRASSE`` and ``Straße``."""
    if text.isascii():
        return text.lower()
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return folded.replace(f"i{DOT_ABOVE}", "i")  # what is left of a Turkish İ


def has_words(text: str, words: str) -> bool:
    """Say whether ``text`` holds each of ``words``, which are folded and have spaces between them."""
    folded = fold_case(text)
    return all(word in folded for word in words.split())
