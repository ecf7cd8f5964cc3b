"""The page of a comparison of methods."""

from __future__ import annotations

from tracrcheck.reports.compare import heads, lines, rows_of, svg
from tracrcheck.reports.render.html.elements import Html, joined, tag
from tracrcheck.reports.render.html.environment import environment, unfinished
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Column, data_table
from tracrcheck.runs.compare import CompareResults


def compare_page(results: CompareResults) -> Page:
    asked = results.run["asked"]
    columns = [Column(name=name, number=bool(place)) for place, name in enumerate(heads())]
    caption = "Fewest edges at so many nats on held-out prompts: median over seeds (range)"
    told = [tag("li", line) for line in lines(results)]
    return Page(
        title=f"Methods compared on {asked['task']}",
        lead=joined((unfinished(results.run), f"{asked['model']}, {asked['ablation']} ablation.")),
        tiles=(
            Tile(label="methods", value=f"{len(asked['methods']):,}"),
            Tile(label="seeds", value=f"{len(asked['seeds']):,}"),
            Tile(label="edges of the model", value=f"{asked['n_graph_edges']:,}"),
        ),
        sections=(
            Section(
                title="At equal divergence",
                content=joined((data_table(caption, columns, rows_of(results)), tag("ul", *told))),
            ),
            Section(title="Curves", content=tag("div", Html(svg(results, ground=False)), class_="scroll")),
            environment(results.run),
        ),
    )
