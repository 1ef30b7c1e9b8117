"""``python -m volunteerkit``: the same as the command ``volunteerkit``."""

from volunteerkit.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
