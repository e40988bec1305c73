"""What travels over the API about search, and about what changed between versions.  Source: replicate-api.md 2.12."""

from typing import Any

from marketplace.openapi.schemas import TEXT, array, nullable, record, ref

_SCHEMA = {"type": "object", "additionalProperties": True, "nullable": True}
CATALOG_SCHEMAS: dict[str, Any] = {
    "SearchResults": record(
        {
            "query": {**TEXT, "description": "As it was evaluated"},
            "models": array(
                record(
                    {
                        "model": ref("Model"),
                        "metadata": record(
                            {
                                "generated_description": nullable(TEXT),
                                "tags": {**array(TEXT), "description": "Slugs of the collections it is in"},
                                "score": {"type": "number", "nullable": True, "description": "How well it fits"},
                            }
                        ),
                    }
                )
            ),
            "collections": array(
                record(
                    {
                        "name": TEXT,
                        "slug": TEXT,
                        "description": TEXT,
                        "models": {**array(TEXT), "nullable": True, "description": "`owner/name`"},
                    }
                )
            ),
            "pages": {
                **array(record({"name": TEXT, "href": {**TEXT, "description": "A path on this site"}})),
                "description": "Of the documentation",
            },
        }
    ),
    "SchemaChange": record(
        {
            "name": {**TEXT, "description": "Of the input; `output` for the output"},
            "from": {**_SCHEMA, "description": "Its schema in the one version; null where it is new"},
            "to": {**_SCHEMA, "description": "Its schema in the other version; null where it is gone"},
            "is_breaking": {"type": "boolean"},
        }
    ),
    "VersionComparison": record(
        {
            "from": TEXT,
            "to": TEXT,
            "inputs": record({kind: array(ref("SchemaChange")) for kind in ("added", "removed", "changed")}),
            "output": {
                "allOf": [ref("SchemaChange")],
                "nullable": True,
                "description": "null where it did not change",
            },
            "is_breaking": {"type": "boolean", "description": "Whether calls of the one may fail with the other"},
            "breaking": {**array(TEXT), "description": "What breaks, a sentence each"},
        }
    ),
}
