"""`python -m ml_backend`: the backend as a process."""

import os
import sys

from ml_backend.serve import main

if __name__ == "__main__":
    sys.exit(main(os.environ))
