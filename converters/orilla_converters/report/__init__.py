"""The report of a conversion: one HTML page that works offline, and its plot."""
