"""Profiles: what `tracrcheck gate --profile` asks of every program. Options narrow a profile, never widen it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune_core.errors import CheckError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Profile:
    """ablations of each program, and seeds of each ablation."""

    ablations: tuple[str, ...]
    seeds: int


PROFILES = {
    "quick": Profile(ablations=("zero", "resample"), seeds=1),  # for every commit
    "full": Profile(ablations=("zero", "mean", "resample"), seeds=20),  # for a release: hours
}

# Without a profile.
PLAIN = Profile(ablations=("all",), seeds=1)


def chosen(name: str | None, ablations: Sequence[str], seeds: int | None) -> Profile:
    """The profile of this name, narrowed by what was given beside it. Errors: TC117."""
    if name is None:
        return Profile(ablations=tuple(ablations) or PLAIN.ablations, seeds=seeds or PLAIN.seeds)
    if name not in PROFILES:
        raise CheckError(
            "TC117",
            f"no profile '{name}'",
            where="--profile",
            got=name,
            wanted=", ".join(PROFILES),
            do=did_you_mean(name, PROFILES),
        )
    profile = PROFILES[name]
    names = [a.strip() for text in ablations for a in text.split(",")]
    outside = [a for a in names if a not in profile.ablations]
    if outside:
        raise _wider(name, "--ablation", ", ".join(outside), f"some of {', '.join(profile.ablations)}")
    if seeds is not None and seeds > profile.seeds:
        raise _wider(name, "--seeds", str(seeds), f"at most {profile.seeds}")
    return Profile(ablations=tuple(names) or profile.ablations, seeds=seeds or profile.seeds)


def _wider(name: str, option: str, got: str, wanted: str) -> CheckError:
    return CheckError(
        "TC117",
        f"the profile '{name}' does not hold this",
        where=option,
        got=got,
        wanted=wanted,
        do="narrow the profile, or leave --profile out",
    )
