from __future__ import annotations

import os

collect_ignore_glob = ["test_*.py"] if os.name == "nt" else []
"""The environments of others are laid out as on Unix."""
