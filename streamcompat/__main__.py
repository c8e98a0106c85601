"""`python -m streamcompat` is the command `streamcompat`."""

import sys

from streamcompat.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
