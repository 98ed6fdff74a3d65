"""The stages of an archive one after the other, as its pipeline runs them.

In: decoded programs of both processors in order, arrays by input name in the source's layout, the actual batch in
front. Out: arrays by tensor name. Always: the MLA sees bytes, the A65 what the EV74 makes of them: reals, maps with
their channels last; what one MLA segment hands to another is never more than bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.errors import InputError
from sima_compiler.ir.graph import Int8Array
from sima_compiler.ir.host import Array, Dtype, HostSegment, HostTensor
from sima_compiler.ir.program import DramTensor, Program, Role
from sima_compiler.sim.execute import check_arrays, run_program
from sima_compiler.sim.host.run import run

Stage = Program | HostSegment
#: Runs a host segment: inputs by name to outputs by name, as `sim.host.run` does.
HostRunner = Callable[[HostSegment, Mapping[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What is known after some stages, in the source's layout: ``bytes`` of the MLA, ``reals`` and integers of all."""

    reals: Mapping[str, Array]
    bytes: Mapping[str, Int8Array]


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """All stages; ``entering`` and ``leaving`` are the MLA's tensors by name; ``host`` runs the A65's segments."""

    stages: tuple[Stage, ...]
    entering: Mapping[str, DramTensor]
    leaving: Mapping[str, DramTensor]
    host: HostRunner = run

    @staticmethod
    def of(stages: Sequence[Stage], host: HostRunner = run) -> Pipeline:
        """The pipeline of these stages."""
        tensors = [tensor for stage in stages if isinstance(stage, Program) for tensor in stage.tensors]
        entering = {tensor.name: tensor for tensor in tensors if tensor.role is Role.INPUT}
        leaving = {tensor.name: tensor for tensor in tensors if tensor.role is Role.OUTPUT}
        return Pipeline(tuple(stages), entering, leaving, host)

    @property
    def inputs(self) -> dict[str, HostTensor]:
        """What no stage makes, in the source's layout, by name."""
        made = {tensor.name for stage in self.stages if isinstance(stage, HostSegment) for tensor in stage.outputs}
        found = {
            name: HostTensor(name, (tensor.samples, *tensor.source_shape), Dtype.FLOAT32)
            for name, tensor in self.entering.items()
        }
        for stage in self.stages:
            if isinstance(stage, HostSegment):
                found |= {tensor.name: tensor for tensor in stage.inputs if tensor.name not in found}
        return {name: tensor for name, tensor in found.items() if name not in made and name not in self.leaving}

    def start(self, inputs: Mapping[str, npt.ArrayLike]) -> Values:
        """The inputs, checked.

        Raises:
            InputError: an input is missing, unknown, of another type or shape, or not finite.
        """
        wanted = self.inputs
        integers = [name for name, tensor in wanted.items() if tensor.dtype is not Dtype.FLOAT32]
        check_arrays({name: tensor.shape for name, tensor in wanted.items()}, inputs, integers)
        return Values({name: _typed(tensor, inputs[name]) for name, tensor in wanted.items()}, {})

    def after(self, stage: Stage, values: Values) -> Values:
        """The values with those that a stage makes."""
        return _after_mla(stage, values) if isinstance(stage, Program) else self._after_host(stage, values)

    def _after_host(self, segment: HostSegment, values: Values) -> Values:
        given = {tensor.name: self._stored(tensor, values.reals[tensor.name]) for tensor in segment.inputs}
        made = self.host(segment, given)
        return replace(values, reals={**values.reals, **{name: self._source(name, made[name]) for name in made}})

    def _stored(self, tensor: HostTensor, array: Array) -> Array:
        """As the EV74 hands it over: in the order in which the MLA stores it."""
        found = self.leaving.get(tensor.name) or self.entering.get(tensor.name)
        if found is None:
            return array
        return np.ascontiguousarray(array.transpose(0, *(axis + 1 for axis in found.source_axes)))

    def _source(self, name: str, array: Array) -> Array:
        """What the EV74 takes for the MLA, in the source's layout."""
        found = self.entering.get(name)
        if found is None:
            return array
        order = found.source_axes
        return np.ascontiguousarray(array.transpose(0, *(1 + order.index(axis) for axis in range(len(order)))))


def _after_mla(program: Program, values: Values) -> Values:
    given = {
        tensor.name: values.bytes[tensor.name]
        if tensor.name in values.bytes
        else arithmetic.quantize(values.reals[tensor.name], tensor.quant)
        for tensor in program.tensors
        if tensor.role is Role.INPUT
    }
    made = run_program(program, given)
    quants = {tensor.name: tensor.quant for tensor in program.tensors}
    reals = {name: arithmetic.dequantize(array, quants[name]) for name, array in made.items()}
    return Values({**values.reals, **reals}, {**values.bytes, **made})


def _typed(tensor: HostTensor, value: npt.ArrayLike) -> Array:
    array = np.asarray(value)
    bad = int(np.sum(~np.isfinite(array)))
    if bad:
        raise InputError(
            f"input {tensor.name!r} holds {bad} values that are not finite", hint="replace NaN and infinity"
        )
    return array.astype(tensor.dtype.numpy)
