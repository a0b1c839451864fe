"""`functions` takes Python functions, whose annotations it can read."""

import math

from farcall import functions

calc = functions(math.sqrt, name="calc")
