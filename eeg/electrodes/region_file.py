"""Regions and electrode sets of one's own, from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...engine.errors import InputError
from ...engine.storage.documents import read_yaml
from ...engine.storage.problems import problems
from ..text import listed, plain
from . import regions
from .names import normalise
from .positions import Electrodes

_Name = Annotated[str, Field(min_length=1, max_length=60)]
_Electrodes = Annotated[tuple[_Name, ...], Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sets: dict[_Name, _Electrodes] = {}
    partition: dict[_Name, _Electrodes] = {}


@dataclass(frozen=True)
class Regions:
    """Which electrode sets and regions an explanation is read by.

    Attributes
    ----------
    sets : mapping of str to tuple of str
        They may overlap, and need not cover the head.
    parts : mapping of str to tuple of str, or None
        Regions that do not overlap; what is in none of them is "other". None for the regions of the 10-20
        system.
    """

    sets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(regions.SETS))
    parts: Mapping[str, tuple[str, ...]] | None = None

    def partition(self, electrodes: Electrodes) -> dict[str, tuple[str, ...]]:
        """Each region that has electrodes -> their names as given; every name is in exactly one."""
        if self.parts is None:
            return regions.partition(electrodes)
        found = {where: regions.members(list(parts), electrodes) for where, parts in self.parts.items()}
        inside = {n for each in found.values() for n in each}
        found["other"] = tuple(n for n in electrodes if n not in inside)
        return {where: each for where, each in found.items() if each}

    @classmethod
    def from_file(cls, path: Path) -> Regions:
        """Read a file with `sets` and `partition`, each a name and its electrodes.

        Sets are added to the known ones (one of the same name replaces it); a partition replaces the
        regions of the 10-20 system.

        Raises
        ------
        InputError
            It cannot be read, says something unknown, or a partition has an electrode twice.
        """
        where = plain(path.name)
        data = _tuples(read_yaml(path, "a file of regions", "a YAML file", where=where))
        try:
            given = _File.model_validate(data)
        except ValidationError as e:
            raise InputError(
                f"{where}: not a file of regions ({problems(e, _File, data)}); "
                "it has sets and partition, each {name: [electrodes]}"
            ) from None
        parts = given.partition
        seen: dict[str, str] = {}
        for name, electrodes in parts.items():
            if name == "other":
                raise InputError(f"{where}: 'other' is what lies in no region; name it otherwise")
            for key in map(normalise, electrodes):
                if key in seen:
                    raise InputError(f"{where}: {plain(key)} is in {plain(seen[key])} and in {plain(name)}")
                seen[key] = name
        return cls({**regions.SETS, **given.sets}, parts or None)

    def check(self, electrodes: Electrodes, where: str) -> None:
        """Refuse sets and regions of which a model has no electrode at all: a misspelt name.

        Raises
        ------
        InputError
        """
        own = {k: v for k, v in self.sets.items() if regions.SETS.get(k) != v}
        for name, wanted in {**own, **(self.parts or {})}.items():
            if not regions.members(list(wanted), electrodes):
                raise InputError(
                    f"{where}: the model has no electrode of {plain(name)} ({listed(wanted, 6)}); it has "
                    f"{listed(electrodes, 40)}"
                )


def _tuples(data: object) -> object:
    """Lists as tuples, so that strict validation takes them."""
    if isinstance(data, dict):
        return {k: _tuples(v) for k, v in data.items()}
    return tuple(data) if isinstance(data, list) else data
