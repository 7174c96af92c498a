"""Makes `trainer_reference` importable: with pytest's importlib mode no test folder is on the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
