"""Properties that MiniStack's own resource types lose and its services keep: rows of calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.extension import loopback
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.resource_type import Request
from rehearsal.extension.shapes import call


@dataclass(frozen=True)
class Setting:
    """A property, and the calls that set it and take it back.

    Args:
        name: Of the property.
        put: The operation that sets it, as boto3 names it.
        parameters: Its parameters, given the physical id and the property.
        remove: The operation that takes it back, or the empty string: then it is ``put`` anew,
            as ``default``.
        removed: The parameters of that, given the physical id.
        default: What it is where the template says nothing.
    """

    name: str
    put: str
    parameters: Callable[[str, Any], Mapping[str, Any]]
    remove: str = ""
    removed: Callable[[str], Mapping[str, Any]] = lambda physical_id: {}
    default: Any = None

    def apply(self, client: Any, physical_id: str, old: Properties, new: Properties) -> None:
        """Call what it takes to get from the old properties to the new ones."""
        before, after = old.get(self.name, self.default), new.get(self.name, self.default)
        if before == after:
            return
        if after is None and self.remove:
            call(client, self.remove, self.removed(physical_id))
        else:
            call(client, self.put, self.parameters(physical_id, after))


def kept(service: str, *settings: Setting) -> Completion:
    """The completion of a resource type that loses these settings."""

    def finish(physical_id: str, old: Properties, request: Request) -> None:
        for setting in settings:
            setting.apply(loopback.client(service), physical_id, old, request.properties)

    return Completion(finish)
