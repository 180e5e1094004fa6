"""`python -m xvc_cli` is `xvc`."""

import sys

from .main import main

sys.exit(main())
