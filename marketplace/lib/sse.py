"""Server-sent events, encoded the way the official clients read them.  Source: replicate-api.md 4.3, 4.4."""

KEEP_ALIVE = b": keep-alive\n"  # no empty line: a blank event would make some readers forget their last id


def encode(event: str, data: str, event_id: str) -> bytes:
    """One event with id, name and data in this order; each line of `data` on a line of its own."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "".join(f"data: {line}\n" for line in lines)
    return f"id: {event_id}\nevent: {event}\n{body}\n".encode()
