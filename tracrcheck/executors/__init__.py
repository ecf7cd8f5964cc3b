"""Runs many units of work: in this process, in worker processes, or on a Dask cluster."""
