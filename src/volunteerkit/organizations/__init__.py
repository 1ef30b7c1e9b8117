"""Organizations and teams."""
