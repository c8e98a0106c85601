"""`python -m mach9 module.app` serves an app, as with the original, in what `streamcompat exec` starts."""

import sys

from streamcompat.serving.module_command import main

if __name__ == "__main__":
    sys.exit(main("mach9"))
