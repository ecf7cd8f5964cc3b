"""Programs planted in GPT-2s: a row for each, size and ablation."""

from __future__ import annotations

from tracrcheck.reports import document as doc
from tracrcheck.reports.document import choice, number
from tracrcheck.reports.text import count
from tracrcheck.runs.plants import Plant, PlantsResults, Truth


def line(made: Plant) -> str:
    return f"{made.program}, {made.size}: {made.fault or 'made'}, {made.seconds:.1f} s"


def document(results: PlantsResults) -> doc.Document:
    asked, plants = results.run["asked"], results.plants
    left = len(results.plan.units()) - len(plants)
    failed = [found for plant in plants if (found := _finding(plant))]
    n, of = len(asked["own"]), asked["n_causal"]
    part = f"all {of} causal programs" if n == of else f"{n} of {of} causal programs"
    if asked["most_inputs"] is not None:
        part += f", those with at most {asked['most_inputs']:,} inputs or a share of them,"
    elif n < of:
        part += ", drawn at random,"
    return doc.Document(
        command="planted",
        title="Programs planted in GPT-2s",
        word="FAILED" if failed else "not finished" if left else "made",
        good=not failed and not left,
        outcome=f"{len(failed)} of {count(len(plants), 'plant')} failed" + (f", {left} are missing" if left else ""),
        scope=f"{part} at their own size, and {', '.join(asked['large']) or 'none'} at {asked['size']}; seed {asked['seed']}.",
        tiles=(doc.Tile("plants", len(plants)), doc.Tile("failed", len(failed), "bad" if failed else "plain")),
        sections=(
            doc.Section("Failed", [doc.Findings(("program", "size", "why"), failed)], on=doc.EVERYWHERE),
            doc.Section("Plants", [_table(plants)], on=doc.EVERYWHERE),
            doc.Section("Smallest and unique", [_known(plants)], on=("markdown", "html")),
        ),
        run=results.run,
        suites=doc.suites_of(
            plants, lambda plant: plant.program, lambda plant: doc.Case(plant.size, plant.seconds, _finding(plant))
        ),
    )  # fmt: skip


def _finding(plant: Plant) -> doc.Finding | None:
    if not plant.fault:
        return None
    return doc.Finding(
        word="FAILED", title=f"{plant.program}, {plant.size}", outcome="error", kind="fault", reason=plant.fault,
        cells=(plant.program, plant.size, plant.fault),
    )  # fmt: skip


def _rows(plants: tuple[Plant, ...]) -> list[tuple[Plant, Truth]]:
    return [(plant, truth) for plant in plants for truth in plant.truths]


def _table(plants: tuple[Plant, ...]) -> doc.Table:
    return doc.Table.of(
        _rows(plants),
        doc.Column("program", lambda of: of[0].program),
        choice("layers x heads x width", lambda of: f"{of[0].layers} x {of[0].heads} x {of[0].d_model}"),
        number("edges", lambda of: f"{of[0].n_edges:,}"),
        choice("ablation", lambda of: of[1].ablation),
        number("required", lambda of: of[1].n_required),
        number("inputs or pairs", lambda of: f"{of[1].n_items:,}"),
        number("weakest", lambda of: "-" if of[1].weakest is None else f"{of[1].weakest:.3g}"),
        number("others", lambda of: f"{of[1].others:.1g}"),
        number("outputs within", lambda of: f"{of[0].outputs_within:.1e}"),
        number("seconds", lambda of: f"{of[0].seconds:.1f}"),
        caption="Certificates by program, size and ablation",
        note="Sufficient and minimal were run on the checkpoint. Weakest: the least that outputs move without one required edge; others: "
        "the most that they move without all other edges; both in tolerances. Outputs: from the program's, in float32.",
    )


def _known(plants: tuple[Plant, ...]) -> doc.Table:
    return doc.Table.of(
        _rows(plants),
        doc.Column("program", lambda of: of[0].program),
        choice("size", lambda of: of[0].size),
        choice("ablation", lambda of: of[1].ablation),
        doc.Column("smallest", lambda of: of[1].smallest),
        doc.Column("unique", lambda of: of[1].unique),
        caption="What is known of smallest and unique, which are not proved of the checkpoint",
    )
