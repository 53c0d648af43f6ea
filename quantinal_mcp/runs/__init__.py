"""Runs that are never charged twice and never lost: triggering, finding, waiting, and what past ones say."""
