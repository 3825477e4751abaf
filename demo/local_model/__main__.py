"""``python -m demo.local_model``."""

import sys

from demo.local_model.run import main

sys.exit(main())
