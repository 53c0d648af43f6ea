"""What happens to trackers besides running: a create that was lost, changes, and what a deletion takes with it."""
