"""The errors of Orilla: what is wrong with which file, and what to do about it.

OrillaError                 exit code 1
├── UsageError              exit code 2: options that do not fit together
├── BundleError             a bundle that is damaged, unknown or not a bundle
├── ModelError              a model file that no engine opens, or that no task fits
├── EngineError             an engine or a device that is not there
├── SourceError             pictures, videos or cameras that cannot be opened
├── SinkError               a result that could not be written
├── ServiceError            a service or a page that cannot be opened
├── DataError               labelled pictures that do not make a data set
├── ConversionError         a conversion that failed or crashed
│   └── NoClassifierError   a model that is no classifier, where one is needed
└── GateError               exit code 3: an artifact that is worse than its gate allows
"""

from __future__ import annotations


class OrillaError(Exception):
    """A failure that its reader can act on: `message` names the file and the fault, `remedy` says what to do."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[type[OrillaError], tuple[str, str]]:
        return type(self), (self.message, self.remedy)


class UsageError(OrillaError):
    """Options that do not fit together, or a value that an option does not take."""

    exit_code = 2


class BundleError(OrillaError):
    """A `.orilla` file that is damaged, unknown or not a bundle; `fault` is its short, stable name."""

    def __init__(self, message: str, remedy: str = "", *, fault: str = "damaged") -> None:
        super().__init__(message, remedy)
        self.fault = fault

    def __reduce__(self) -> tuple[type[OrillaError], tuple[str, str]]:
        # Pickle calls the class with two values and then restores __dict__, which holds the fault.
        return (type(self), (self.message, self.remedy), {"fault": self.fault})  # type: ignore[return-value]


class ModelError(OrillaError):
    """A model file that no engine opens, or that no task fits."""


class EngineError(OrillaError):
    """An engine or a device that was asked for and is not there."""


class SourceError(OrillaError):
    """A picture, a video, a folder or a camera that cannot be opened or read."""


class SinkError(OrillaError):
    """A result that could not be written or shown."""


class ServiceError(OrillaError):
    """A service or a page that cannot be opened: a package is missing, or the address cannot be used."""


class DataError(OrillaError):
    """Labelled pictures that do not make a data set, or do not fit the model."""


class ConversionError(OrillaError):
    """A conversion that failed, crashed or ran out of its limits."""


class GateError(OrillaError):
    """An artifact that is worse than its gate allows."""

    exit_code = 3
