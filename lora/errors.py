"""What can go wrong in this room.

LoraError
|- BaseUnavailable     the base model is not installed, or its weights are not the pinned ones
|- BrokenAdapter       an adapter folder is incomplete, altered, or of another base
|  |- NotTaken         an inference server does not have the version, or not now; its files are fine
|  |- NewerFormat      a later annotune wrote it; nothing is known against it
|- BrokenFile          another file of the store holds no JSON
|- StoreDown           the bucket that holds the store does not answer, or refuses us
|- Raced               somebody changed a file of the store between our reading and our writing
|- Taken               somebody else made what only one can make
|- Moved               CURRENT is not what the verdict was given against: judge again
|- Withdrawn           a person rolled this version back; nothing promotes it by itself
|- Forgotten           a snapshot holds what was to be forgotten, and is gone
|- NeedsPerson         the project is regulated: a named person promotes, nothing else does
|- NotReady            the model is still loading; try again in a moment
|- Overloaded          the inference lane is full; try again later
|- EngineDown          the inference server does not answer; try again later
|- Refused             the inference server refused one request
"""

from __future__ import annotations


class LoraError(Exception):
    """Base of all errors of this room."""


class BaseUnavailable(LoraError):
    """The base model cannot be loaded as pinned."""


class BrokenAdapter(LoraError):
    """An adapter folder cannot be trusted; the message names the file and the difference."""


class BrokenFile(LoraError, ValueError):
    """A file of the store cannot be read; the message names it, and quotes nothing of it."""


class StoreDown(LoraError, OSError):
    """The store's bucket cannot be reached, or refuses; the message names it and quotes no key."""


class Raced(LoraError):
    """A compare-and-set of a file of the store found that another writer was quicker."""


class Taken(LoraError):
    """What only one may make was made by somebody else."""


class NotTaken(BrokenAdapter):
    """An inference server does not serve a version; nothing is known against its files."""


class NewerFormat(BrokenAdapter):
    """A later annotune wrote the adapter, in a format that this one does not read."""


class Moved(LoraError):
    """A compare-and-set of CURRENT found another champion than expected."""


class Withdrawn(LoraError):
    """The version was rolled back by a person and is not promoted again by itself."""


class Forgotten(LoraError):
    """A snapshot is gone, since it held what was to be forgotten; nothing may come of it."""


class NeedsPerson(LoraError):
    """The project is regulated: nothing but a named person promotes a version."""


class NotReady(LoraError):
    """No model is loaded yet; `retry_after` seconds is a fair wait."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(NotReady):
    """The lane's queue is full."""


class EngineDown(NotReady):
    """The inference server that answers for us cannot be reached, or has no room."""


class Refused(LoraError):
    """The inference server refused this request, and would again. `status`: HTTP's; 0: what it
    said cannot be read. The message may quote a task's text, so it is not logged for tasks."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
