"""`make fuzz`: a site of its own, called at random for FUZZ_SECONDS (600). Its status is that of schemathesis."""

import os
import sys
from pathlib import Path

from tests.fuzz.site import CALLER, call_by_document
from tests.plugins.live_site import HIGH_LIMITS, LiveSite


def main() -> int:
    """Run it, show what schemathesis says, keep the site's log beside the report where something failed."""
    seconds = int(os.environ.get("FUZZ_SECONDS", "600"))
    with LiveSite.started(**HIGH_LIMITS) as site:
        run = call_by_document(site, site.new_account(CALLER), "--max-time", str(seconds), *sys.argv[1:])
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", flush=True)
        status = run.wait()
        if status:
            Path("var").mkdir(exist_ok=True)
            Path("var/fuzz-serve.log").write_text(site.log())
            print("The site's log: var/fuzz-serve.log")
    return status


if __name__ == "__main__":
    sys.exit(main())
