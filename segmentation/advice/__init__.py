"""What to do about a segment, with the numbers behind it."""
