"""The quantized networks, for the tests that allocate whole ones."""

from __future__ import annotations

from tests.networks.quantized import quantized_networks

__all__ = ["quantized_networks"]
