"""What a run does: a name, a seed and a list of stages with their options."""

from __future__ import annotations

import os
from importlib import resources
from typing import Annotated

import yaml
from pydantic import Field

from auralign.data.config import StrictModel, load_yaml, parse, read_yaml
from auralign.errors import ConfigError, did_you_mean
from auralign.pipeline.stages.align import AlignOptions
from auralign.pipeline.stages.codec import CodecOptions
from auralign.pipeline.stages.corpus import CorpusOptions
from auralign.pipeline.stages.evaluate import EvaluateOptions
from auralign.pipeline.stages.iterate import IterateOptions
from auralign.pipeline.stages.model import ModelOptions
from auralign.pipeline.stages.online import OnlineOptions
from auralign.pipeline.stages.prefer import PreferOptions
from auralign.pipeline.stages.report import ReportOptions
from auralign.pipeline.stages.sft import SftOptions

StageOptions = Annotated[
    CorpusOptions
    | CodecOptions
    | SftOptions
    | PreferOptions
    | ModelOptions
    | AlignOptions
    | IterateOptions
    | OnlineOptions
    | EvaluateOptions
    | ReportOptions,
    Field(discriminator="stage"),
]


class Recipe(StrictModel):
    """`seed` is the only source of randomness of a run."""

    name: str
    seed: int = Field(default=0, ge=0)
    stages: tuple[StageOptions, ...] = Field(min_length=1)

    def to_yaml(self) -> str:
        """Every option written out: reading it back gives the same recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """A recipe file; ConfigError names the file, the key and what was expected."""
    return read_yaml(Recipe, path)


def packaged_recipe(name: str) -> Recipe:
    """A recipe that ships with auralign, such as `quickstart-small`."""
    folder = resources.files("auralign") / "recipes"
    known = sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if ".yaml" in f.name)
    if name not in known:
        raise ConfigError(
            f"no recipe '{name}' ships with auralign{did_you_mean(name, known)}: "
            f"there are {', '.join(known)}"
        )
    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    return parse(Recipe, load_yaml(text, f"{name}.yaml"), f"{name}.yaml")
