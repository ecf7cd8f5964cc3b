"""Prunes edges one at a time. `right` looks at every input, `wrong` at the longest ones only."""
