"""The reference of host segments: float32 in a stated order of operations, in numpy alone."""

from sima_compiler.sim.host.run import run

__all__ = ["run"]
