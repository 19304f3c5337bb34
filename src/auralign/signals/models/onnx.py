"""Networks in ONNX files, run by onnxruntime on one thread of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.errors import ConfigError
from auralign.signals.models.optional import optional

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The first output of a network with one input."""


def load_network(path: str, option: str, published_at: str) -> Network:
    """The network in the file `path`, which the user gave as `option`.

    Raises ConfigError, which says where the file is published, when there is none or when it is no
    ONNX network with one input; MissingExtraError without onnxruntime.
    """
    runtime = optional("onnxruntime", "mos")
    if not Path(path).is_file():
        got = f"'{path}'" if path else "nothing"
        raise ConfigError(
            f"the option `{option}` has to name the file that is published at {published_at}, "
            f"got {got}: download it and say where it is"
        )
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = 1  # clips run in parallel, in processes
    try:
        session = runtime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base but this
        raise ConfigError(
            f"'{path}' is no network that onnxruntime can load: download it again"
        ) from error
    if len(session.get_inputs()) != 1:
        raise ConfigError(
            f"'{path}' has {len(session.get_inputs())} inputs: expected a network with one"
        )
    name = session.get_inputs()[0].name
    return lambda values: np.asarray(session.run(None, {name: values})[0])
