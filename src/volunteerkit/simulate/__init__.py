"""Made-up cities for demonstrations, tests and research; needs the extra ``fast`` (numpy)."""

from volunteerkit.errors import MissingExtra

try:
    import numpy  # noqa: F401
except ModuleNotFoundError:
    raise MissingExtra(package="numpy", extra="fast") from None
