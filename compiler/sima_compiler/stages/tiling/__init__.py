"""The parts of the tile stage: geometry, residency, block shapes, kernels and copies."""
