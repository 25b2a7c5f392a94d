"""Keras models become artifacts that were proved against the model they came from."""
