"""The teacher's kit and the reading copy: pages to read, and the programs that make the others."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.append(str(ROOT / "notebooks"))  # where the modules are that read the course's sources
