"""What a `*_mpk.json` is made of: tensors, segments, the whole description.

In: facts of a compile. Out: frozen records. Sizes are bytes; shapes cover the whole actual batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from sima_compiler.archive.grammar_kernels import TYPE_BYTES

#: Version of the published grammar that the documents follow.
SDK_VERSION = "2.1.0"
#: Bytes to which padded channels and parts of a shared buffer are aligned.
ALIGNMENT = 16

Shape = tuple[int, int, int, int]


def aligned(size: int) -> int:
    """``size`` rounded up to whole 16-byte units."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True, slots=True)
class TensorDescription:
    """An int8 tensor of the MLA. ``shape`` is (actual batch, rows, columns, channels).

    real = (q - zero_point) * scale. ``packed``: channels lie densely (HWC); otherwise each pixel's channels are padded
    to 16 bytes. ``direct``: the MLA reads or writes it without a (de)tessellation.
    """

    name: str
    shape: Shape
    scale: float
    zero_point: int
    packed: bool = False
    direct: bool = False

    @property
    def mla_bytes(self) -> int:
        """Bytes of the whole batch as the MLA holds it."""
        return prod(self.shape[:3]) * (self.shape[3] if self.packed else aligned(self.shape[3]))

    @property
    def stored_shape(self) -> Shape:
        """The shape with the channels that the MLA's DRAM has."""
        batch, rows, columns, channels = self.shape
        return batch, rows, columns, channels if self.packed else aligned(channels)

    @property
    def real(self) -> HostTensorDescription:
        """The same values as float32 outside of the MLA."""
        return HostTensorDescription(self.name, self.shape)


@dataclass(frozen=True, slots=True)
class MlaSegment:
    """One MLA plugin, ``MLA_0``: its binary's name in the archive and its tensors in order."""

    name: str
    file: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]

    @property
    def input_offsets(self) -> tuple[int, ...]:
        """Where each input begins in the plugin's input buffer, in bytes."""
        return _offsets(self.inputs)

    @property
    def output_offsets(self) -> tuple[int, ...]:
        """Where each output begins in the plugin's output buffer, in bytes."""
        return _offsets(self.outputs)


@dataclass(frozen=True, slots=True)
class HostTensorDescription:
    """A tensor of the A65: ``shape`` covers the whole batch and may be empty; ``scalar``: numpy's name of its type."""

    name: str
    shape: tuple[int, ...]
    scalar: str = "float32"

    @property
    def listed_shape(self) -> tuple[int, ...]:
        """The shape as the grammar has it, which knows no scalars."""
        return self.shape or (1,)

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return prod(self.shape) * TYPE_BYTES[self.scalar]


@dataclass(frozen=True, slots=True)
class HostSegmentDescription:
    """One A65 plugin, ``APU_1``: its `.so`'s name in the archive and its tensors in order."""

    name: str
    file: str
    inputs: tuple[HostTensorDescription, ...]
    outputs: tuple[HostTensorDescription, ...]


SegmentDescription = MlaSegment | HostSegmentDescription


@dataclass(frozen=True, slots=True)
class MpkDescription:
    """Everything that a document says. ``model_path`` is a base name; ``inputs`` are the model's and float32 unless the
    A65 reads them as something else; ``outputs`` are names of tensors that segments make.
    """

    name: str
    model_path: str
    model_checksum: str
    desired_batch_size: int
    actual_batch_size: int
    quads: int
    inputs: tuple[HostTensorDescription, ...]
    outputs: tuple[str, ...]
    segments: tuple[SegmentDescription, ...]
    model_sdk_version: str = SDK_VERSION


def _offsets(tensors: Sequence[TensorDescription]) -> tuple[int, ...]:
    return (0, *accumulate(tensor.mla_bytes for tensor in tensors[:-1]))
