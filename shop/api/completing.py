"""The last hand on the API's document: groups, examples, and every error code. A hook of the
generator's."""

from collections.abc import Iterator
from typing import Any

from shop.api.error_page import error_rows, error_table
from shop.api.examples import EXAMPLES, GROUPS

METHODS = ("get", "post", "put", "delete")
JSON = "application/json"
# What the first thing of its kind has in a shop that was just seeded.
FIRST_ID = 1
INTRODUCTION = """\
A shop backend for things that run out.

**Money** is an integer number of fen, in fields that end in `_fen`. **Times** are RFC 3339 with an
offset; count down by `server_time`. **Tokens**: log in, then press *Authorize* with the `access` of
the answer. **Idempotency-Key**: whatever asks for one is carried out once for each key, however
often it is sent; a repeat is answered with what the first one made, and with
`Idempotent-Replayed: true`. **202** means stored, and in the queue: look where `Location` says.

The examples work as they stand in the demo (`make run`), one after the other. An `order_no`,
`payment_no` or `packet_id` is that of an earlier answer.

## Errors

An answer of status 400 or more is `application/problem+json` with a `code`:

"""


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The document, completed."""
    result["info"]["description"] = INTRODUCTION + error_table()
    result["info"]["x-error-codes"] = error_rows()
    result["tags"] = [{"name": name, "description": words} for name, words in GROUPS.items()]
    operations = {operation["operationId"]: operation for operation in _operations(result)}
    for operation in operations.values():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["schema"]["type"] == "integer":
                parameter["example"] = FIRST_ID
    for example in EXAMPLES:
        content = operations[example.operation]["requestBody"]["content"][JSON]
        content.setdefault("examples", {})[example.name] = {
            "summary": example.summary,
            "description": f"Answered with {example.status}.",
            "value": dict(example.body),
            "x-status": example.status,
        }
    return result


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (path[method] for method in METHODS if method in path)
