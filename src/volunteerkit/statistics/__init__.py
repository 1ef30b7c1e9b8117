"""Counts over the slices; reads only."""
