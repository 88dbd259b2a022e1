"""Text search that ignores case and the spellings of Unicode. Pure."""

from unicodedata import normalize

DOT_ABOVE = "\u0307"


def fold_case(text: str) -> str:
    """Return a form of ``text`` that is the same in any case and spelling of Unicode: ``STRASSE`` and ``Straße``."""
    if text.isascii():
        return text.lower()
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return folded.replace(f"i{DOT_ABOVE}", "i")  # the rest of a folded Turkish İ


def has_words(text: str, words: str) -> bool:
    """Return whether ``text`` has all of ``words``, which are folded and separated by spaces."""
    folded = fold_case(text)
    return all(word in folded for word in words.split())
