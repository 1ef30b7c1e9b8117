"""Volunteers: who they are, and how they are registered."""
