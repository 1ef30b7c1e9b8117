"""The pytest plugin: fixtures for authors of plugins and portals."""
