"""The quantized networks, for every test in this folder."""

from __future__ import annotations

from tests.networks.quantized import quantized_networks

__all__ = ["quantized_networks"]
