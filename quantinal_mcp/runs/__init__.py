"""What this product is for: runs that are never charged twice and never lost, and money agreed beforehand."""
