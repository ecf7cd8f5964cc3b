"""Compiles RASP to torch by two routes, and detects Tracr's bugs."""

from tracrcheck.rasp.tracr_without_jax import defer_jax

defer_jax()  # before any module here imports from `tracr.compiler`
