"""Host segments as readable C, cross-compiled for the Cortex-A65."""

from sima_compiler.a65.build import build

__all__ = ["build"]
