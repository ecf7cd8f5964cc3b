"""Ten faults written from the core's text alone, before any test or invariant had been looked at."""

from __future__ import annotations

from functools import partial

from tracrcheck.mutants.base import Mutant

_blind = partial(Mutant, source="ours", blind=True)

BLIND = (
    _blind(
        name="rotary_sign",
        file="edgeprune_core/engine/blocks/rotary.py",
        old="a * cos - b * sin",
        new="a * cos + b * sin",
        why="the first half of a rotary pair turns the other way, so that no rotation is left",
    ),
    _blind(
        name="rms_norm_without_its_epsilon",
        file="edgeprune_core/engine/blocks/norm.py",
        old="rms_norm(x, x.shape[-1:], gain, spec.norm_eps)",
        new="rms_norm(x, x.shape[-1:], gain)",
        why="RMSNorm falls back to torch's own epsilon",
    ),
    _blind(
        name="live_in_every_circuit",
        file="edgeprune_core/engine/forward.py",
        old="kept = (mask != 0).any(0).cpu()",
        new="kept = (mask != 0).all(0).cpu()",
        why="a writer that one circuit of a batch needs is not computed where another does without it",
    ),
    _blind(
        name="background_of_dead_grouped_heads_twice",
        file="edgeprune_core/engine/forward.py",
        old="stream.skip([first + h for h in range(spec.n_heads) if h not in heads])",
        new="stream.skip([first + h for h in range(spec.n_heads) if not alive[first + h]])",
        why="with grouped key/value heads, what a dead head's cut edges carry is added twice",
    ),
    _blind(
        name="connected_through_queries_only",
        file="edgeprune_core/circuit.py",
        old="queue += self.graph.readers_of(edge.writer)",
        new="queue += self.graph.readers_of(edge.writer)[:1]",
        why="edges into keys and values count as dangling",
    ),
    _blind(
        name="scored_where_the_corruption_is",
        file="edgeprune_core/task.py",
        old="""            got = self.outputs(mask, chunk, live=live)
            want, scored = self.reference[clean], self.scored[clean]""",
        new="""            got = self.outputs(mask, chunk, live=live)
            want, scored = self.reference[clean], self.scored[chunk[:, 1]]""",
        why="a circuit is judged at the positions that the corrupted input has scored",
    ),
    _blind(
        name="smaller_refused_for_its_rounding",
        file="edgeprune_core/methods/candidates.py",
        old="rank = (max(worst, self.task.outcome.limit), len(circuit))",
        new="rank = (worst, len(circuit))",
        why="among accepted candidates the nearest wins, not the smallest",
    ),
    _blind(
        name="divergence_of_the_outcome_reversed",
        file="edgeprune_core/criterion.py",
        old="off = (p.exp() * (p - q)).sum(-1)",
        new="off = (q.exp() * (q - p)).sum(-1)",
        why="acceptance by KL takes KL(got || wanted)",
    ),
    _blind(
        name="noise_cut_short",
        file="edgeprune_core/training/gates.py",
        old="MARGIN = 1e-6",
        new="MARGIN = 0.1",
        why="the noise of a gate never reaches its tails, so that gates close and open too rarely",
    ),
    _blind(
        name="padding_is_an_answer",
        file="edgeprune_core/metrics/answers.py",
        old="return chosen.masked_fill(ids < 0, -torch.inf).logsumexp(-1)",
        new="return chosen.logsumexp(-1)",
        why="padding of a row of answers counts its first answer again",
    ),
)
