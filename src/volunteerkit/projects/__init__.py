"""Brands and activity projects."""
