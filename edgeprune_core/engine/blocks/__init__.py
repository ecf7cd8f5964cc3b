"""The pieces of a layer, each a function of its inputs and weights; nothing here knows of masks."""
