"""Times on the wire: RFC 3339 in UTC with six digits and `Z`.  Source: replicate-api.md 1.6."""

import datetime


def timestamp(moment: datetime.datetime) -> str:
    """For example 2026-01-02T03:04:05.678901Z."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
