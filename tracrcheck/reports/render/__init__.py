"""Renderers: terminal, Markdown, HTML, JUnit."""
