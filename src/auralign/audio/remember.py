"""Results that several measures of a clip share, kept for as long as the clip is in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from auralign.types import Audio

P = ParamSpec("P")
T = TypeVar("T")


def remembered(function: Callable[Concatenate[Audio, P], T]) -> Callable[Concatenate[Audio, P], T]:
    """The same function, done once for the same clip (the object) and the same other arguments.

    What it returns is shared: nobody may change it.
    """
    kept: WeakKeyDictionary[Audio, dict[Hashable, T]] = WeakKeyDictionary()

    @functools.wraps(function)
    def once(audio: Audio, /, *args: P.args, **kwargs: P.kwargs) -> T:
        results = kept.setdefault(audio, {})
        key = (args, tuple(sorted(kwargs.items())))
        if key not in results:
            results[key] = function(audio, *args, **kwargs)
        return results[key]

    return once
