"""The device side of Orilla: open a bundle or a model, and run it on pictures, videos and cameras."""
