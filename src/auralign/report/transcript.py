"""Which words of a transcript are wrong, by the alignment that defines word error."""

from __future__ import annotations

from auralign.report.records import Word


def compare_words(expected: str, heard: str) -> tuple[Word, ...]:
    """`heard` as words, each right, wrong or extra, and the missed words of `expected` in place.

    Both are normalised beforehand as for the word error rate; then the number of words that are
    not right is its number of errors: substitutions, insertions and deletions (Levenshtein 1966).
    """
    wanted, said = expected.split(), heard.split()
    cost = _edit_costs(wanted, said)
    words: list[Word] = []
    i, j = len(wanted), len(said)
    while i or j:
        # Of equally short alignments the one is shown in which a repeated word's copy is extra.
        if j and cost[i][j] == cost[i][j - 1] + 1:
            j -= 1
            words.append(Word(said[j], "extra"))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            words.append(Word(wanted[i], "missed"))
        else:
            i, j = i - 1, j - 1
            right = wanted[i] == said[j]
            words.append(Word(said[j]) if right else Word(said[j], "wrong", wanted[i]))
    return tuple(reversed(words))


def _edit_costs(wanted: list[str], said: list[str]) -> list[list[int]]:
    """`cost[i][j]`: edits between the first i wanted and the first j said words."""
    # The first row and column are right as i + j; the rest is filled in below.
    cost = [[i + j for j in range(len(said) + 1)] for i in range(len(wanted) + 1)]
    for i, want in enumerate(wanted, 1):
        for j, say in enumerate(said, 1):
            cost[i][j] = min(
                cost[i - 1][j - 1] + (want != say), cost[i - 1][j] + 1, cost[i][j - 1] + 1
            )
    return cost
