"""Assessment and stars."""
