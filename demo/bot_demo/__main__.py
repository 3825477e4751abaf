"""``python -m demo.bot_demo``."""

import sys

from demo.bot_demo.run import main

sys.exit(main())
