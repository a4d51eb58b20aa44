"""What the tests of the warm process have it run."""

import os
import sys
import time
from pathlib import Path

STARTED = os.getpid()  # of the process that imported this


def main() -> int:
    what, *rest = sys.argv[1:]
    print(f"{STARTED} {os.getpid()} {os.environ.get('TOLD', '')}", flush=True)
    if what == "sleep":
        Path(rest[0]).write_text(str(os.getpid()))
        time.sleep(60)
    if what == "raise":
        raise ValueError("a broken program")
    if what == "exit":
        sys.exit(rest[0])
    return int(rest[0])


if __name__ == "__main__":
    sys.exit(main())
