"""Helps for authors of plugins and portals who test against volunteerkit."""
