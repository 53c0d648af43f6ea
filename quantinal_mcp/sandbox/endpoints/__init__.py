"""The documented endpoints: one file per resource, and how they read what they are sent."""
