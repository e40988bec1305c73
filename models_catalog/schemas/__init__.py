"""A version's schema document (OpenAPI 3.0, as Cog makes it) and all that the site does with it.

`documents` reads and checks the document, `validation` judges inputs, `inputs` cleans and redacts them, `forms` says
how a page asks for them, `outputs` what kind of thing the model gives, `comparison` what changed from one document to
another (by the rules in `narrowing`).  No Django here: documents in, values out.
"""

from models_catalog.schemas.comparison import Change, Comparison, compare
from models_catalog.schemas.documents import Document, SchemaInvalid, check_document
from models_catalog.schemas.forms import FieldKind, FormField, form_fields
from models_catalog.schemas.inputs import REDACTED, clean_input, redact, secret_values, with_defaults
from models_catalog.schemas.outputs import (
    OutputKind,
    is_concatenated,
    is_file_iterator,
    is_iterator,
    is_list,
    is_streaming,
    output_kind,
)
from models_catalog.schemas.validation import (
    INPUT_MISSING,
    InvalidField,
    Validator,
    in_words,
    validator_for,
)

__all__ = [
    "INPUT_MISSING",
    "REDACTED",
    "Change",
    "Comparison",
    "Document",
    "FieldKind",
    "FormField",
    "InvalidField",
    "OutputKind",
    "SchemaInvalid",
    "Validator",
    "check_document",
    "clean_input",
    "compare",
    "form_fields",
    "in_words",
    "is_concatenated",
    "is_file_iterator",
    "is_iterator",
    "is_list",
    "is_streaming",
    "output_kind",
    "redact",
    "secret_values",
    "validator_for",
    "with_defaults",
]
