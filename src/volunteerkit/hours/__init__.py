"""Hours: claims, confirmation, corrections, statements."""
