"""How near a run comes to what the machine can do."""
