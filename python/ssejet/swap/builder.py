"""Building a stream's items straight from the text of its events."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator

from ssejet.swap.schema import Models, UnprovableError, plan

__all__ = ["Builder", "builder"]


class Builder(NamedTuple):
    """Builds items of one type, or gives None where that is left to the SDK.

    An item equals the SDK's own, see `ssejet.swap.schema`.

    Attributes:
        from_json: from a JSON text. What ``json.loads`` refuses is refused, and what is accepted is read as
            ``json.loads`` reads it.
        from_value: from what ``json.loads`` gives.
        tags: the values of the discriminator, if the type is a discriminated union.
    """

    from_json: Callable[[str], Any]
    from_value: Callable[[Any], Any]
    tags: frozenset[str]


@lru_cache(maxsize=256)
def builder(type_: Any, models: Models) -> Builder | None:
    """Give the builder of a stream's item type, or None if the SDK has to build them all.

    Args:
        type_: a model of the SDK's, or a union of them.
        models: the SDK's own ways.
    """
    try:
        planned = plan(type_, models)
    except (UnprovableError, TypeError):
        return None
    validator = _validator(planned.schema)
    return Builder(
        _build(validator.validate_json, planned.tidy),
        _build(validator.validate_python, planned.tidy),
        planned.tags,
    )


def _build(validate: Callable[..., Any], tidy: Callable[[Any], None]) -> Callable[[Any], Any]:
    def build(data: Any) -> Any:
        unknown: list[Any] = []
        try:
            item = validate(data, context=unknown)
            if unknown:
                tidy(item)
        except Exception:  # whatever it is, the SDK's own way will show
            return None
        return item

    return build


def _validator(schema: Any) -> SchemaValidator:
    # By default pydantic-core takes a model's own validator, where it has one, in place of the schema given.
    try:
        return SchemaValidator(schema, _use_prebuilt=False)
    except TypeError:  # older versions know neither the argument nor that habit
        return SchemaValidator(schema)
