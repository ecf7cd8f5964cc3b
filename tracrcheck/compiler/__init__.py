"""RASP to torch by two routes, and what Tracr gets wrong."""

from tracrcheck.rasp.tracr_without_jax import defer_jax

defer_jax()  # before any module here imports from `tracr.compiler`
