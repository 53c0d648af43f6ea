"""What a call means: what can only mean one thing is taken, and of the rest a model is told what mends it."""
