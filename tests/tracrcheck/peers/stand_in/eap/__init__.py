"""Stands in for EAP-IG where it is not installed: the names of its graphs, and scores that the tool itself gave once.

`recorded/` holds those scores, each with the version that made them. Everything around them is run: the model, the loader,
and the metric, which is evaluated on every batch as the tool does.
"""
