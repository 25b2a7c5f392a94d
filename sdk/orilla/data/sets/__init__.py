"""Sets that are no folders yet: arrays, published archives, sets by name; each is unpacked once into files."""
