"""edgeprune_core: one masked forward over the edges between components, and the methods that search them.

Knows nothing of RASP or Tracr. Import what you need from its modules: this file imports nothing.
"""
