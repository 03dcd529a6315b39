#!/usr/bin/env python
"""Django's command line for this site."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcpsite.settings")
    from mcpsite.core.commandline import main

    main(sys.argv)


if __name__ == "__main__":
    main()
