"""What stands in the way of a good model: pictures that are unreadable, doubled, odd or rare."""
