"""Options that belong together reach a command as one value: typer reads a flat signature."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every parameter that is a dataclass spread into its fields.

    The fields' annotations and defaults are what typer makes options of.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type[Any]] = {}
    flat: list[inspect.Parameter] = []
    for one in signature.parameters.values():
        if isinstance(one.annotation, type) and is_dataclass(one.annotation):
            groups[one.name] = one.annotation
            own = inspect.signature(one.annotation, eval_str=True).parameters.values()
            flat += [field.replace(kind=inspect.Parameter.KEYWORD_ONLY) for field in own]
        else:
            flat.append(one.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def wrapped(**given: object) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    wrapped.__dict__["__signature__"] = signature.replace(parameters=flat)
    wrapped.__annotations__ = {one.name: one.annotation for one in flat}
    return wrapped
