"""What runs and schedules cost, and the ceilings that bind them. Amounts are in quants."""
