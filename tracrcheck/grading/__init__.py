"""Run a method, compare its circuit with the certificate, and explain the difference."""
