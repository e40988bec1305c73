"""Tags: short texts by which an account finds its predictions again. An extension of the wire contract."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet

from marketplace.lib.json_types import wrong_type
from marketplace.lib.problems import InputInvalid, InvalidField
from runner.models import Prediction

MOST = 10
LONGEST = 64  # characters of one


def problems(tags: list[Any]) -> Iterator[InvalidField]:
    """What is wrong with the member `tags`."""
    if len(tags) > MOST:
        yield InvalidField("array_max_items", "tags", f"Array must have at most {MOST} items")
    for index, tag in enumerate(tags):
        field = f"tags.{index}"
        if not isinstance(tag, str):
            yield InvalidField("invalid_type", field, wrong_type("string", tag))
        elif not tag:
            yield InvalidField("string_gte", field, "String length must be greater than or equal to 1")
        elif len(tag) > LONGEST:
            yield InvalidField("string_lte", field, f"String length must be less than or equal to {LONGEST}")
        elif not tag.isprintable():
            yield InvalidField("pattern", field, "Must have printable characters only")


def unique(tags: Iterable[str]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(tags))


def parse_change(body: Mapping[str, Any]) -> list[str] | None:
    """The tags that a body `{"tags": […]}` asks for, None where it asks for no change. Raises InputInvalid."""
    invalid = [
        InvalidField("additional_property_not_allowed", "", f"Additional property {name} is not allowed")
        for name in body
        if name != "tags"
    ]
    wanted = body.get("tags")
    if "tags" in body:
        if isinstance(wanted, list):
            invalid += problems(wanted)
        else:
            invalid.append(InvalidField("invalid_type", "tags", wrong_type("array", wanted)))
    if invalid:
        raise InputInvalid(invalid)
    return None if wanted is None else unique(wanted)


def set_tags(prediction: Prediction, tags: list[str]) -> Prediction:
    """Replace the tags, whatever state it is in."""
    Prediction.objects.filter(pk=prediction.pk).update(tags=tags)
    prediction.tags = tags
    return prediction


def tagged(predictions: QuerySet[Prediction], wanted: Iterable[str]) -> QuerySet[Prediction]:
    """Those that have all of the tags."""
    # The index leaves out what has none; the database can't see by itself that this is no loss.
    return predictions.filter(tags__contains=list(wanted)).exclude(tags=[])
