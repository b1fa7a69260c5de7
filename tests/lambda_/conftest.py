"""The layer's modules, where the handlers that are tested here look for them."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "stacks" / "lambda_" / "layers" / "execution_environment" / "python"))
