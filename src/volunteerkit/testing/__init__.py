"""Helps for authors of plugins and portals who test against volunteerkit."""

from volunteerkit.testing.city import SampleCity

__all__ = ["SampleCity"]


def __dir__() -> list[str]:
    return __all__
