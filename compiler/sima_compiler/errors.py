"""Every exception that this package raises on purpose.

::

    SimaError
    |-- ModelError              the model file or network is not usable
    |   |-- UnsupportedError    a node, operator or option that this compiler cannot lower
    |   `-- ForeignModelError   a `.sima` file of the vendor's SDK, which is another container
    |-- CalibrationError        calibration data is missing, empty, not finite or of the wrong shape
    |-- InputError              arrays handed to execute or simulate do not fit the model
    |-- OptionError             an option's value lies outside what is allowed
    |-- MachineError            a machine description is incomplete or contradicts itself
    |-- DoesNotFitError         no legal plan exists on this machine
    |-- OutputError             the result could not be written
    |-- CompileInterrupted      the caller stopped the compilation
    |-- ArchiveError            an archive is not usable (children name the cause)
    |   |-- InvalidArchiveError, PathTraversalError, SchemaError,
    |   `-- UnsupportedVersionError, SizeLimitError, UnsupportedExtensionError
    |-- HostError               a host segment is damaged, breaks a rule of its operators, or did not run
    |-- MissingExtraError       an optional part of the installation is needed; the hint is the command that adds it
    |-- LmError                 an `.lm` binary is damaged, too new, or does something illegal
    |   `-- ExecutionError      the simulated machine refused a command
    `-- InternalError           a bug of ours: a stage broke its promise

A message says what was found, where, and the demand against the limit; ``hint`` says what to try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sima_compiler.obstacle import Obstacle


class SimaError(Exception):
    """Root of every error that this package raises on purpose."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ModelError(SimaError):
    """The model file or the network in it is not usable.

    ``obstacles`` lists everything that stands in the way where reading could go on after the first; else it is empty.
    """

    def __init__(self, message: str, *, hint: str = "", obstacles: Sequence[Obstacle] = ()) -> None:
        super().__init__(message, hint=hint)
        self.obstacles = tuple(obstacles)


class UnsupportedError(ModelError):
    """A node, an operator or an option that this compiler cannot lower.

    ``node``, ``operator`` and ``rule`` name the place and the violated sentence where one exists.
    """

    def __init__(
        self,
        message: str,
        *,
        node: str = "",
        operator: str = "",
        rule: str = "",
        hint: str = "",
        obstacles: Sequence[Obstacle] = (),
    ) -> None:
        super().__init__(message, hint=hint, obstacles=obstacles)
        self.node = node
        self.operator = operator
        self.rule = rule


class ForeignModelError(ModelError):
    """A ``.sima`` file written by the vendor's SDK, which uses another container."""


class CalibrationError(SimaError):
    """Calibration data is missing, empty, not finite or of the wrong shape."""


class InputError(SimaError):
    """Arrays handed to ``execute`` or ``simulate`` do not fit the model."""


class OptionError(SimaError):
    """An option's value lies outside what is allowed."""


class MachineError(SimaError):
    """A machine description is incomplete or contradicts itself."""


class DoesNotFitError(SimaError):
    """No legal plan exists for this network on this machine."""


class OutputError(SimaError):
    """The result could not be written."""


class CompileInterrupted(SimaError):
    """The caller stopped the compilation; nothing was written."""


class ArchiveError(SimaError):
    """An archive is not usable; ``entry`` names the offending member where one exists."""

    def __init__(self, message: str, *, entry: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.entry = entry


class InvalidArchiveError(ArchiveError):
    """Not a gzip-compressed tar, truncated, corrupt, or an entry of a forbidden kind."""


class PathTraversalError(ArchiveError):
    """An entry's name would leave the archive or imitates a separator."""


class SchemaError(ArchiveError):
    """A JSON or YAML member does not follow its grammar."""


class UnsupportedVersionError(ArchiveError):
    """A member declares a version that this release cannot read."""


class SizeLimitError(ArchiveError):
    """An entry, the total or the JSON exceeds the reader's limits."""


class UnsupportedExtensionError(ArchiveError):
    """The file is no archive, neither by its content nor by its name."""


class HostError(SimaError):
    """A host segment (what the Cortex-A65 runs) is damaged, too new, breaks a rule of its operators, or did not run."""


class MissingExtraError(SimaError):
    """An optional part of the installation is needed and missing; ``hint`` is the command that adds it."""


class LmError(SimaError):
    """An ``.lm`` binary is damaged, too new or malformed."""


class ExecutionError(LmError):
    """The simulated machine refused a command: it would read or destroy the wrong bytes."""


class InternalError(SimaError):
    """A bug of ours: a stage broke its promise. The message names the stage."""
