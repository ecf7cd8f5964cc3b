"""A circuit of thousands of edges: its page folds the layers, lists the edges with the largest scores, and stays small."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tracrcheck.reports.discovery import circuit_svg
from tracrcheck.reports.kinds import html_of
from tracrcheck.reports.picture import MOST, by_layers
from tracrcheck.reports.saved import DiscoveryFile

SVG = "{http://www.w3.org/2000/svg}"
LARGEST_PAGE = 2_000_000  # bytes


@pytest.fixture(scope="module")
def graph():
    """That of SmolLM2: 70,651 edges."""
    return ResidualGraph(30, 9, 3, False, False)


def circuit(graph, n: int) -> Circuit:
    """So many edges, from all over the graph."""
    edges = list(graph.edges)
    return Circuit.of(graph, [str(edges[i * len(edges) // n]) for i in range(n)])


def page(found: Circuit, scores: dict[str, float] | None) -> str:
    asked = {"task": "ioi", "model": "smollm2", "method": "eap_ig", "ablation": "resample"}
    return html_of(
        DiscoveryFile(
            document={
                "asked": asked, "fault": None, "seconds": 1.0, "n_edges": len(found), "n_graph_edges": 70_651,
                "n_dangling": 0, "kl_mean": 0.5, "kl_worst": 1.0, "circuit": found.to_json(), "scores": scores,
                "faithfulness": None,
            }
        )
    )  # fmt: skip


def test_edges_are_counted_by_the_layers_that_they_join(graph):
    found = Circuit.of(
        graph, ["tok -> a0.h0.q", "tok -> out", "a0.h0 -> m0", "a0.h1 -> m0", "m0 -> a29.h0.v", "m29 -> out"]
    )
    grid = by_layers(found, title="x")
    assert grid.counts == {
        ("embedding", "0"): 1, ("embedding", "out"): 1, ("0", "0"): 2, ("0", "29"): 1, ("29", "out"): 1,
    }  # fmt: skip
    assert grid.writers[:2] == ("embedding", "0")
    assert grid.readers[-2:] == ("29", "out")


@pytest.mark.parametrize("n", [4_000, 30_000])
def test_a_page_of_so_many_edges_is_under_two_megabytes_and_every_edge_is_on_it(graph, n):
    found = circuit(graph, n)
    scores = {edge: float(place) for place, edge in enumerate(found.texts)}
    text = page(found, scores)
    assert len(text.encode()) < LARGEST_PAGE
    cells = re.findall(r"<title>\w+ into \w+: ([\d,]+) edges?</title>", text)
    assert sum(int(cell.replace(",", "")) for cell in cells) == n
    strongest = text.partition(f"The {MOST} edges with the largest scores")[2].partition("</table>")[0]
    listed = re.findall(r"scope=row>([^<]+?)<", strongest)
    assert listed == [edge.replace(">", "&gt;") for edge in reversed(found.texts[-MOST:])]
    assert 'type="search"' in text
    by_reader = text.partition("Edges by reader")[2]
    assert all(str(edge.reader) in by_reader for edge in list(found)[:: n // 50])


def test_without_scores_the_first_edges_are_listed(graph):
    assert f"The first {MOST} edges" in page(circuit(graph, 1_000), None)


def test_the_drawing_of_a_large_circuit_folds_its_layers_and_that_of_a_small_one_does_not(graph):
    large = ElementTree.fromstring(circuit_svg(circuit(graph, 4_000), name="ioi", title="ioi in smollm2"))
    titles = [title.text for title in large.iter(f"{SVG}title")]
    assert titles[0] == "ioi in smollm2: 4,000 edges"
    assert int(large.get("width")) < 700
    small = ElementTree.fromstring(circuit_svg(Circuit.of(graph, ["tok -> out"]), name="ioi", title="ioi"))
    assert "tok -> out" in [title.text for title in small.iter(f"{SVG}title")]
