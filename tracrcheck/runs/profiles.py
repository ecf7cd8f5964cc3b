"""Profiles: what `tracrcheck gate --profile` asks of every program. Options narrow a profile, never widen it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import unknown_name, user_error


@dataclass(frozen=True, kw_only=True)
class Profile:
    """ablations of each program, and seeds of each ablation. programs: their names; None: every program."""

    ablations: tuple[str, ...]
    seeds: int
    programs: tuple[str, ...] | None = None


PROFILES = {
    "quick": Profile(ablations=("zero", "resample"), seeds=1),  # for every commit
    "full": Profile(ablations=tuple(ABLATIONS), seeds=20),  # for a release: hours
    # For each seeded fault: a minute, on what differs most. Heads side by side and one after another, a MLP alone,
    # positions alone, numbers of a small and of a large range, causal, no value at some places, several ways at once.
    "mutants": Profile(ablations=("zero", "mean", "resample"), seeds=1, programs=(
        "hist", "square", "shift_by_one", "frac_prevs", "xproportion", "detect_pattern_ab", "pair_balance", "reverse",
        "either_of_two_heads", "sort", "cancelling_pair", "two_of_three_heads",
    )),
}  # fmt: skip

# Without a profile.
PLAIN = Profile(ablations=("all",), seeds=1)


def chosen(
    name: str | None, ablations: Sequence[str], seeds: int | None, *, programs: Sequence[str] = ()
) -> Profile:
    """The profile of this name, narrowed by the other options. Errors: TC117."""
    named = tuple(programs) or None
    if name is None:
        return Profile(
            ablations=tuple(ablations) or PLAIN.ablations, seeds=seeds or PLAIN.seeds, programs=named
        )
    if name not in PROFILES:
        raise unknown_name("TC117.profile", name, PROFILES, where="--profile")
    profile = PROFILES[name]
    names = [a.strip() for text in ablations for a in text.split(",")]
    outside = [a for a in names if a not in profile.ablations]
    if outside:
        raise _wider(name, "--ablation", ", ".join(outside), f"some of {', '.join(profile.ablations)}")
    if seeds is not None and seeds > profile.seeds:
        raise _wider(name, "--seeds", str(seeds), f"at most {profile.seeds}")
    if profile.programs is not None and (strange := [p for p in programs if p not in profile.programs]):
        raise _wider(name, "PROGRAM", ", ".join(strange), f"some of {', '.join(profile.programs)}")
    return Profile(
        ablations=tuple(names) or profile.ablations,
        seeds=seeds or profile.seeds,
        programs=named or profile.programs,
    )


def _wider(name: str, option: str, got: str, wanted: str) -> CheckError:
    return user_error("TC117.wider", where=option, got=got, wanted=wanted, name=name)
