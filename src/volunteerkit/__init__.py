"""volunteerkit: a city's volunteer service as a library."""
