"""What the seeded trackers tell: configurations, scores and words."""
