"""The layer's packages, where the handler that is tested here looks for them."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "stacks" / "aurora" / "layers" / "postgres" / "python"))
